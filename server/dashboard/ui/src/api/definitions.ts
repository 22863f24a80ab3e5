import { graphql } from './graphql'
import { siteFields } from './site'

/** The mutations of segments and goals. Each brings the site's lists as they are then. */

export const createSegment = graphql(
  `mutation CreateSegment($input: CreateSegmentInput!) { createSegment(input: $input) { segment { id } site { ...SiteFields } } }`,
  [siteFields],
)
export const updateSegment = graphql(
  `mutation UpdateSegment($input: UpdateSegmentInput!) { updateSegment(input: $input) { segment { id } site { ...SiteFields } } }`,
  [siteFields],
)
export const activateSegment = graphql(
  `mutation ActivateSegment($id: ID!) { activateSegments(ids: [$id]) { site { ...SiteFields } } }`,
  [siteFields],
)
export const deactivateSegment = graphql(
  `mutation DeactivateSegment($id: ID!) { deactivateSegments(ids: [$id]) { site { ...SiteFields } } }`,
  [siteFields],
)
export const deleteSegment = graphql(
  `mutation DeleteSegment($id: ID!) { deleteSegment(id: $id) { deletedId site { ...SiteFields } } }`,
  [siteFields],
)
export const convertSegment = graphql(
  `mutation ConvertSegment($input: ConvertSegmentInput!) {
    convertSegmentToGoal(input: $input) { goal { id } removedSegmentId site { ...SiteFields } }
  }`,
  [siteFields],
)
export const createGoal = graphql(
  `mutation CreateGoal($input: CreateGoalInput!) { createGoal(input: $input) { goal { id } site { ...SiteFields } } }`,
  [siteFields],
)
export const updateGoal = graphql(
  `mutation UpdateGoal($input: UpdateGoalInput!) { updateGoal(input: $input) { goal { id } site { ...SiteFields } } }`,
  [siteFields],
)
export const archiveGoal = graphql(
  `mutation ArchiveGoal($id: ID!) { archiveGoal(id: $id) { site { ...SiteFields } } }`,
  [siteFields],
)
export const unarchiveGoal = graphql(
  `mutation UnarchiveGoal($id: ID!) { unarchiveGoal(id: $id) { site { ...SiteFields } } }`,
  [siteFields],
)
export const deleteGoal = graphql(
  `mutation DeleteGoal($id: ID!) { deleteGoal(id: $id) { deletedId site { ...SiteFields } } }`,
  [siteFields],
)
export const convertGoal = graphql(
  `mutation ConvertGoal($id: ID!) { convertGoalToSegment(goalId: $id) { segment { id } removedGoalId site { ...SiteFields } } }`,
  [siteFields],
)
