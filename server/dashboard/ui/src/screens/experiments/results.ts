import type { ResultOf } from 'gql.tada'
import { graphql } from '../../api/graphql'

export const experimentFields = graphql(`
  fragment ExperimentFields on Experiment {
    id
    key
    name
    description
    status
    startedAt
    stoppedAt
    updatedAt
    attribution
    variants { id key name weight baseline }
    primaryMetric { id key name valueEvent direction }
    secondaryMetrics { id key name }
    guardrails { goal { id name } margin }
    decidesBy
    monitoring
    decideAt
    metricChangedAt
    audience { label inputs }
    winner { id key name }
  }
`)

export type Experiment = ResultOf<typeof experimentFields>
export type Status = Experiment['status']

export const askExperiments = graphql(
  `
    query Experiments($siteId: ID!, $search: String!) {
      site(id: $siteId) {
        id
        experiments(search: $search, first: 500) {
          totalCount
          nodes { ...ExperimentFields }
        }
      }
    }
  `,
  [experimentFields],
)

export const askExperiment = graphql(`query Experiment($id: ID!) { node(id: $id) { ...ExperimentFields } }`, [
  experimentFields,
])

/** Assignments that nothing follows, what each day would have shown, and what each segment shows. */
export const askMore = graphql(`
  query ExperimentMore(
    $id: ID!
    $filters: [FilterInput!]
    $segments: [ID!]
    $adHocSegments: [AdHocSegmentInput!]
    $goal: ID
  ) {
    node(id: $id) {
      ... on Experiment {
        id
        results(filters: $filters, goal: $goal) {
          id
          unjoinedAssignments
          metrics {
            id
            variants {
              id
              variant { id key }
              series {
                at
                visitors
                conversions
                conversionRate
                probabilityToBeBest
                anytime { pValue uplift { mean low high } }
              }
            }
          }
        }
        breakdown(segments: $segments, adHocSegments: $adHocSegments, goal: $goal) {
          id
          segment { id name }
          result {
            id
            metrics {
              id
              decision
              variants {
                id
                variant { id key baseline }
                visitors
                conversions
                conversionRate { mean low high }
                adjustedPValue
              }
            }
          }
        }
      }
    }
  }
`)

export const followResults = graphql(`
  subscription FollowResults($id: ID!, $filters: [FilterInput!]!) {
    experimentResults(experimentId: $id, filters: $filters) {
      computedAt
      visitors
      contaminated
      unknownVariants
      sampleRatio { anytimePValue mismatch }
      metrics {
        goal { id name }
        primary
        role
        decision
        reasons { code message }
        leader { key name }
        variants {
          variant { key name baseline }
          visitors
          conversions
          conversionRate { mean low high }
          uplift { mean low high }
          anytime { uplift { low high } }
          probabilityToBeBest
          probabilityToBeatBaseline
          probabilityWithinMargin
          adjustedPValue
          expectedLoss
          value {
            perVisitor { mean low high }
            uplift { mean low high }
          }
        }
      }
    }
  }
`)

/** The curves of the metric that decides. */
export const followDensities = graphql(`
  subscription FollowDensities($id: ID!, $filters: [FilterInput!]!, $goal: ID!) {
    experimentResults(experimentId: $id, filters: $filters, goal: $goal) {
      metrics {
        variants {
          variant { key name }
          visitors
          density { x y }
        }
      }
    }
  }
`)

/** What an experiment takes that is looked at once. */
export const planFields = graphql(`
  fragment PlanFields on ExperimentPlan {
    figure
    visitorsPerDay
    visitorsPerVariant
    days
    effects { day visitorsPerVariant effect }
  }
`)

/** What a new experiment would take. */
export const askPlan = graphql(
  `
    query NewPlan($siteId: ID!, $metric: ID!, $variants: Int!, $effect: Float!, $power: Float!, $audience: [FilterInput!]!) {
      site(id: $siteId) {
        id
        planExperiment(metric: $metric, variants: $variants, minimumEffect: $effect, power: $power, filters: $audience) {
          ...PlanFields
        }
      }
    }
  `,
  [planFields],
)

/** What an experiment that runs still takes. */
export const askRest = graphql(
  `
    query RestOfPlan($id: ID!, $goal: ID!, $effect: Float!, $power: Float!) {
      node(id: $id) {
        ... on Experiment {
          id
          results(goal: $goal) {
            id
            metrics {
              id
              plan(minimumEffect: $effect, power: $power) { ...PlanFields }
            }
          }
        }
      }
    }
  `,
  [planFields],
)

export type Plan = ResultOf<typeof planFields>
export type Results = ResultOf<typeof followResults>['experimentResults']
export type Metric = Results['metrics'][number]
export type VariantFigures = NonNullable<Metric['variants']>[number]
type More = Extract<NonNullable<ResultOf<typeof askMore>['node']>, { breakdown: unknown }>
export type SegmentRow = NonNullable<More['breakdown']>[number]
export type DaySeries = NonNullable<NonNullable<More['results']>['metrics'][number]['variants']>

/** The parts of an answer that are an experiment's; null of anything else. */
export const moreOf = (node: ResultOf<typeof askMore>['node'] | undefined): More | null =>
  node && 'breakdown' in node ? (node as More) : null
/** The plan in an answer about an experiment that runs. */
export const restOf = (node: ResultOf<typeof askRest>['node'] | undefined): Plan | null =>
  (node && 'results' in node && node.results?.metrics[0]?.plan) || null
export const experimentOf = (node: ResultOf<typeof askExperiment>['node'] | undefined): Experiment | null =>
  node && 'variants' in node ? (node as Experiment) : null

export const createExperiment = graphql(
  `mutation CreateExperiment($input: CreateExperimentInput!) { createExperiment(input: $input) { experiment { ...ExperimentFields } } }`,
  [experimentFields],
)
export const updateExperiment = graphql(
  `mutation UpdateExperiment($input: UpdateExperimentInput!) { updateExperiment(input: $input) { experiment { ...ExperimentFields } } }`,
  [experimentFields],
)
export const startExperiment = graphql(
  `mutation StartExperiment($id: ID!, $at: Time, $expectedUpdatedAt: Time) {
    startExperiment(id: $id, at: $at, expectedUpdatedAt: $expectedUpdatedAt) { experiment { ...ExperimentFields } }
  }`,
  [experimentFields],
)
export const stopExperiment = graphql(
  `mutation StopExperiment($id: ID!, $winner: String, $expectedUpdatedAt: Time) {
    stopExperiment(id: $id, winner: $winner, expectedUpdatedAt: $expectedUpdatedAt) { experiment { ...ExperimentFields } }
  }`,
  [experimentFields],
)
export const archiveExperiment = graphql(
  `mutation ArchiveExperiment($id: ID!) { archiveExperiment(id: $id) { experiment { ...ExperimentFields } } }`,
  [experimentFields],
)
export const deleteExperiment = graphql(
  `mutation DeleteExperiment($id: ID!) { deleteExperiment(id: $id) { deletedId } }`,
)
