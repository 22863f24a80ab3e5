package graph

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/count"
	"github.com/goalgraph/goalgraph/model/partition"
)

// maxAnswer is how many bytes the data of an answer may have, maxRead how many bytes of texts an operation reads for it, and
// maxErrors how many errors are told beside it.
const (
	maxAnswer = 16 << 20
	maxRead   = 2 * maxAnswer
	maxErrors = 100
)

// evaluation is how long the filters of one operation may be evaluated, by all processors together.
const evaluation = 20 * time.Second

// budget is what one operation may make, and what it has made. Lists are held against it before anything is made of
// their elements, and texts before they are written.
type budget struct {
	// requested is the cost that was worked out before, and roots is how many fields the operation's root has.
	requested, roots int
	// breaksDown tells that sessions are broken down, whose work the fields do not show.
	breaksDown bool
	// fields and bytes are those made so far, and written are the bytes of the answer.
	fields, bytes, written atomic.Int64
	// promised is how many fields will be made of lists whose length is known.
	promised atomic.Int64
	// evaluated tells for how long filters were evaluated for the answer.
	evaluated func() time.Duration
	// reading is held while a list of long elements is read, and read is how many bytes those that were read have.
	reading chan struct{}
	read    int
}

const budgetKey = "Budget"

// withBudget gives an operation a budget.
func withBudget(operation *graphql.OperationContext, requested int, breaksDown bool) {
	b := &budget{requested: requested, breaksDown: breaksDown, roots: widthOf(operation.Operation.SelectionSet), reading: make(chan struct{}, 1)}
	operation.Stats.SetExtension(budgetKey, b)
	resolve, resolveRoot := operation.ResolverMiddleware, operation.RootResolverMiddleware
	operation.ResolverMiddleware = func(ctx context.Context, next graphql.Resolver) (any, error) {
		return b.resolve(ctx, resolve, next)
	}
	operation.RootResolverMiddleware = func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
		return b.marshal(ctx, resolveRoot(ctx, next))
	}
}

func budgetOf(operation *graphql.OperationContext) *budget {
	b, _ := operation.Stats.GetExtension(budgetKey).(*budget)
	return b
}

// heavyCost is the cost from which an operation is heavy.
const heavyCost = 5000

// IsHeavy tells whether an operation takes a processor for long: it has many fields, or breaks sessions down.
func IsHeavy(operation *graphql.OperationContext) bool {
	b := budgetOf(operation)
	return b != nil && (b.requested >= heavyCost || b.breaksDown)
}

// pointTime is how long filters are evaluated for a point.
const pointTime = 10 * time.Microsecond

// Points returns what an operation has taken so far: what it has made, and the time in which its filters were evaluated.
func Points(operation *graphql.OperationContext) int {
	b := budgetOf(operation)
	if b == nil {
		return 0
	}
	points := int(b.fields.Load())
	if b.evaluated != nil {
		points += int(b.evaluated() / pointTime)
	}
	return points
}

// Cost returns what an operation costs, in points: what was worked out before it was carried out, and what it has really
// made so far.
func Cost(operation *graphql.OperationContext) (requested, actual int) {
	b := budgetOf(operation)
	if b == nil {
		return 0, 0
	}
	return b.requested, int(b.fields.Load())
}

// reset makes the budget that of another answer of the same operation.
func (b *budget) reset() {
	b.fields.Store(int64(b.roots))
	b.bytes.Store(0)
	b.written.Store(0)
	b.promised.Store(0)
	b.read = 0
}

func tooManyFields() error {
	return model.Errorf(model.ResourceExhausted, "the answer has more than %d fields: ask for fewer, for a shorter range, or for longer intervals", MaxCost)
}

func tooManyBytes() error {
	return model.Errorf(model.ResourceExhausted, "the answer has more than %d MiB: ask for less of it at a time", maxAnswer>>20)
}

// resolve resolves a field within the budget. It is called for every field.
func (b *budget) resolve(ctx context.Context, resolve graphql.FieldMiddleware, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx)
	if len(field.Field.Selections) == 0 {
		value, err := resolve(ctx, next)
		if text, ok := value.(string); ok && len(text) > 64 && b.bytes.Add(int64(len(text))) > maxAnswer {
			return nil, tooManyBytes()
		}
		return value, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, err := resolve(ctx, next)
	if err != nil {
		return nil, err
	}
	if b.fields.Add(lengthOf(value)*int64(widthOf(field.Field.Selections))) > MaxCost {
		return nil, tooManyFields()
	}
	return value, nil
}

// lengthOf returns how many objects a value is.
func lengthOf(value any) int64 {
	if value == nil {
		return 0
	}
	if list := reflect.ValueOf(value); list.Kind() == reflect.Slice {
		return int64(list.Len())
	}
	return 1
}

// widthOf returns how many fields are selected of an object.
func widthOf(set ast.SelectionSet) (fields int) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			fields++
		case *ast.InlineFragment:
			fields += widthOf(s.SelectionSet)
		case *ast.FragmentSpread:
			fields += widthOf(s.Definition.SelectionSet)
		}
	}
	return fields
}

// fits returns an error where an operation has no room for so many more fields, beside those that it has made and beside
// those that others of its fields will make.
func fits(ctx context.Context, fields int) error {
	b := budgetOf(graphql.GetOperationContext(ctx))
	if b != nil && (b.fields.Load()+int64(fields) > MaxCost || b.promised.Add(int64(fields)) > MaxCost) {
		return tooManyFields()
	}
	return nil
}

// readWithin reads a list whose elements may be long, whatever is selected of them. An operation reads one such list after
// another, and no more once they have more bytes of text than maxRead.
func readWithin[T any](ctx context.Context, bytesOf func(*T) int, read func() ([]T, error)) ([]T, error) {
	b := budgetOf(graphql.GetOperationContext(ctx))
	if b == nil {
		return read()
	}
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b.read > maxRead {
		return nil, tooManyBytes()
	}
	found, err := read()
	for i := range found {
		b.read += bytesOf(&found[i])
	}
	if err == nil && b.read > maxRead {
		err = tooManyBytes()
	}
	return found, err
}

// marshal returns what writes a root field, as far as the budget and the context reach.
func (b *budget) marshal(ctx context.Context, field graphql.Marshaler) graphql.Marshaler {
	if field == nil || field == graphql.Null || field == graphql.RequiredNull {
		return field // which are told by what they are
	}
	return graphql.WriterFunc(func(w io.Writer) { field.MarshalGQL(&meter{w, ctx, b}) })
}

// meter counts what is written, and panics with an excess where the budget or the context ends.
type meter struct {
	io.Writer
	ctx context.Context
	*budget
}

// excess is why the writing of an answer ends before it is done.
type excess struct{ error }

// checkedBytes is how much is written between two looks at the context.
const checkedBytes = 64 << 10

func (m *meter) Write(part []byte) (int, error) {
	n := int64(len(part))
	written := m.written.Add(n)
	if written > maxAnswer {
		panic(excess{tooManyBytes()})
	}
	if written/checkedBytes != (written-n)/checkedBytes {
		if err := m.ctx.Err(); err != nil {
			panic(excess{err})
		}
	}
	return m.Writer.Write(part)
}

// cost is extensions.cost, in points.
type cost struct {
	Requested int `json:"requested"`
	Actual    int `json:"actual"`
}

// costHeader is the header of a request that asks for extensions.cost.
const costHeader = "Goalgraph-Cost"

// tellsCost tells whether an answer says what it cost: where the request asks for that, by the header or, as streams have
// none, by "cost" in its extensions. Answers of subscriptions are shared, and never do.
func tellsCost(operation *graphql.OperationContext) bool {
	asks, _ := operation.Extensions["cost"].(bool)
	return !isSubscription(operation) && (asks || operation.Headers.Get(costHeader) != "")
}

// withinBudget holds answers to the budgets of their operations, and tells what they cost where that is asked.
func withinBudget(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	operation := graphql.GetOperationContext(ctx)
	b := budgetOf(operation)
	b.reset()
	ctx = partition.WithEvaluation(ctx, evaluation)
	b.evaluated = func() time.Duration { return partition.Evaluated(ctx) }
	respond := next(count.WithTurn(ctx))
	return func(ctx context.Context) *graphql.Response {
		response := encode(ctx, operation, respond)
		if response == nil {
			return nil
		}
		if len(response.Data) > maxAnswer {
			response = refusedAnswer(ctx, operation, tooManyBytes())
		}
		if more := len(response.Errors) - maxErrors; more > 0 {
			response.Errors = append(response.Errors[:maxErrors:maxErrors], &gqlerror.Error{
				Message: fmt.Sprintf("%d more fields have errors", more), Extensions: extensions(model.ResourceExhausted, ""),
			})
		}
		if tellsCost(operation) {
			if response.Extensions == nil {
				response.Extensions = map[string]any{}
			}
			requested, actual := Cost(operation)
			response.Extensions["cost"] = cost{requested, actual}
		}
		return response
	}
}

// encode returns the response, or the refusal of one that is not encoded to its end.
func encode(ctx context.Context, operation *graphql.OperationContext, respond graphql.ResponseHandler) (response *graphql.Response) {
	defer func() {
		switch panicked := recover().(type) {
		case nil:
		case excess:
			response = refusedAnswer(ctx, operation, panicked.error)
		default:
			panic(panicked)
		}
	}()
	return respond(ctx)
}

func refusedAnswer(ctx context.Context, operation *graphql.OperationContext, err error) *graphql.Response {
	b, _ := begunOf(operation)
	return b.executor.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(err)})
}
