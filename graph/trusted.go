package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
)

// DocumentID is where the extensions of a request have the id of its document. Transports put it there.
const DocumentID = "documentId"

// documentOf puts into a request the text of the document that it asks for by an id, and tells whether that is trusted.
// The id is a documentId, or the hash of Apollo's persisted queries.
func (g *Graph) documentOf(ctx context.Context, params *graphql.RawParams) (trusted bool, problem *gqlerror.Error) {
	documents := g.options.Documents
	id, _ := params.Extensions[DocumentID].(string)
	if id == "" {
		persisted, _ := params.Extensions["persistedQuery"].(map[string]any)
		id, _ = persisted["sha256Hash"].(string)
	}
	if text, found := documents.Text(id); found && id != "" {
		params.Query = text
		return true, nil
	}
	if documents.Has(params.Query) {
		return true, nil
	}
	if id != "" && params.Query == "" {
		// Apollo's clients know this text and this code, and send the query.
		return false, &gqlerror.Error{Message: "PersistedQueryNotFound", Extensions: map[string]any{"code": "PERSISTED_QUERY_NOT_FOUND"}}
	}
	if g.options.OnlyDocuments != nil && g.options.OnlyDocuments(ctx) {
		return false, gqlerror.Wrap(model.Errorf(model.Forbidden, "only documents that the server knows are carried out: add this one to its manifest, and ask for it by its documentId"))
	}
	return false, nil
}
