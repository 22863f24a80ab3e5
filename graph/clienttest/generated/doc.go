// Package generated is the client that genqlient generates from
// ../operations.graphql; see package clienttest.
package generated
