package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/document"
	"github.com/goalgraph/goalgraph/model"
)

// DocumentID is where the extensions of a request have the id of its document. Transports put it there.
const DocumentID = "documentId"

// CheckDocuments logs a warning for each trusted document that does not fit the schema of the moment: whoever asks for it gets
// errors.
func (g *Graph) CheckDocuments(ctx context.Context) error {
	generation, err := g.acquire()
	if err != nil {
		return err
	}
	defer generation.set.Release()
	for _, id := range g.options.Documents.IDs() {
		text, _ := g.options.Documents.Text(id)
		if _, problems := generation.documents.Read(ctx, text, document.Options{Trusted: true}); problems != nil {
			g.options.Log.WarnContext(ctx, "a trusted document does not fit the schema; whoever asks for it gets errors", "id", id, "error", problems[0])
		}
	}
	return ctx.Err()
}

// documentOf puts into a request the text of the document that it asks for by an id, and tells whether that is trusted, and
// whether it is to be registered once it is read. The id is a documentId, or the hash of Apollo's persisted queries, which
// may also be that of a registered document.
func (g *Graph) documentOf(ctx context.Context, params *graphql.RawParams) (trusted, registers bool, problem *gqlerror.Error) {
	documents := g.options.Documents
	persisted, _ := params.Extensions["persistedQuery"].(map[string]any)
	hash, _ := persisted["sha256Hash"].(string)
	id, _ := params.Extensions[DocumentID].(string)
	if id == "" {
		id = hash
	}
	if text, found := documents.Text(id); found && id != "" {
		params.Query = text
		return true, false, nil
	}
	if documents.Has(params.Query) {
		return true, false, nil
	}
	isConfined := g.options.OnlyDocuments != nil && g.options.OnlyDocuments(ctx)
	if id != "" && params.Query == "" {
		if text, found := g.registry.Text(id); found && !isConfined {
			params.Query = text
			return false, false, nil
		}
		// Apollo's clients know this text and this code, and send the query.
		return false, false, &gqlerror.Error{Message: "PersistedQueryNotFound", Extensions: map[string]any{"code": "PERSISTED_QUERY_NOT_FOUND"}}
	}
	switch {
	case isConfined:
		return false, false, gqlerror.Wrap(model.Errorf(model.Forbidden, "only documents that the server knows are carried out: add this one to its manifest, and ask for it by its documentId"))
	case hash != "" && hash != document.Hash(params.Query):
		return false, false, gqlerror.Wrap(model.Invalid("extensions.persistedQuery.sha256Hash", "is not the SHA-256 of the query in hexadecimal digits; send that, or leave it out"))
	}
	// Who reads nothing takes no room of others either.
	return false, hash != "" && model.ActorOf(ctx).MaySomewhere(model.ReadScope), nil
}
