// What the compiler of Relay reads.
import { graphql } from 'relay-runtime'

export const operations = () => [
  graphql`
    query relayOperationsQuery($site: ID!) { site(id: $site) { id goals { totalCount nodes { id key name } } } }
  `,
  graphql`
    mutation relayOperationsCreateMutation($input: CreateGoalInput!) {
      createGoal(input: $input) { goal { id } site { id goals { totalCount nodes { id key name } } } }
    }
  `,
  graphql`
    mutation relayOperationsRenameMutation($id: ID!, $name: String!) {
      updateGoal(input: { id: $id, name: $name }) { goal { id name } }
    }
  `,
  graphql`
    subscription relayOperationsFollowSubscription($site: ID!) {
      definitionsChanged(siteId: $site) { site { id goals { totalCount nodes { id key name } } } }
    }
  `,
  graphql`
    query relayOperationsCardsQuery($site: ID!) {
      site(id: $site) { id goalCards(range: { name: LAST_7_DAYS }) { id cells { id sessions } } }
    }
  `,
  graphql`
    subscription relayOperationsFollowCardsSubscription($site: ID!) {
      goalCards(siteId: $site, range: { name: LAST_7_DAYS }) { id cells { id sessions } }
    }
  `,
]
