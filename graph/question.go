package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model"
)

// question is what equal subscriptions ask. Its operation is carried out once for all
// of them, at first and whenever its site has changed, and the answer is encoded once.
type question struct {
	key questionKey
	begun
	operation *graphql.OperationContext

	// The rest is guarded by subscriptions.mu.
	followers map[follower]bool
	// answer is the newest, encoded; nil before the first. digest is of it without
	// computedAt.
	answer []byte
	digest [sha256.Size]byte
	// site is nil before the first answer. seen is its state before the newest answer;
	// the zero state, which no site has, where it is to be computed again in any case.
	site *followedSite
	seen siteState
	// computing tells that it is carried out, and beganAt when that last began.
	computing bool
	beganAt   time.Time
}

// follower is one subscription: over a WebSocket, or server-sent events. Its methods
// do not wait.
type follower interface {
	// next gives the newest answer, which takes the place of one that is not sent yet.
	next(answer []byte)
	// end says that no more answers come, and why.
	end(problems gqlerror.List)
}

// questionKey is equal for equal questions of one generation.
type questionKey struct {
	generation *generation
	asked      [sha256.Size]byte
}

func keyOf(b begun, operation *graphql.OperationContext) (questionKey, error) {
	hash := sha256.New()
	formatter.NewFormatter(hash, formatter.WithIndent("")).FormatQueryDocument(operation.Doc)
	fmt.Fprintf(hash, "\x00%s\x00", operation.OperationName)
	err := json.NewEncoder(hash).Encode(operation.Variables)
	return questionKey{b.generation, [sha256.Size]byte(hash.Sum(nil))}, err
}

// newQuestion returns the question that an operation asks.
func newQuestion(key questionKey, b begun, operation *graphql.OperationContext) *question {
	return &question{key: key, begun: b, operation: operation, followers: map[follower]bool{}}
}

// nullRoot is data whose one field failed. The field is never null, so the data is.
var nullRoot = regexp.MustCompile(`^\{"[_A-Za-z0-9]+":null\}$`)

// carryOut carries out the operation. The response has no data where its one field
// has no answer at all.
func (q *question) carryOut(ctx context.Context) (response *graphql.Response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			problem := q.executor.PresentRecoveredError(graphql.WithOperationContext(ctx, q.operation), panicked)
			response = &graphql.Response{Errors: gqlerror.List{gqlerror.Wrap(problem)}}
		}
	}()
	responses, ctx := q.executor.DispatchOperation(scalar.WithSchema(ctx, q.schema), q.operation)
	response = responses(ctx)
	if response == nil { // the context is done
		response = q.executor.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(ctx.Err())})
	}
	if nullRoot.Match(response.Data) {
		response.Data = []byte("null")
	}
	return response
}

// take makes a response the newest answer, and tells whether it says anything new.
func (q *question) take(response *graphql.Response, now time.Time) (isNew bool, err error) {
	answer, err := json.Marshal(response)
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256(answer)
	if q.answer != nil && digest == q.digest {
		return false, nil
	}
	q.digest = digest
	q.answer = bytes.ReplaceAll(answer, []byte(scalar.TimeText(unsettled)), []byte(scalar.TimeText(now)))
	return true, nil
}

// isPassing tells whether errors are of a kind that is gone after a while: what a
// subscription then has is kept, and tried again. What took too long is one.
func isPassing(problems gqlerror.List) bool {
	for _, problem := range problems {
		switch problem.Extensions["code"] {
		case string(model.Unavailable), string(model.Internal):
		default:
			if !errors.Is(problem, context.DeadlineExceeded) {
				return false
			}
		}
	}
	return true
}

// isSubscription tells whether an operation is one.
func isSubscription(operation *graphql.OperationContext) bool {
	return operation.Operation.Operation == ast.Subscription
}
