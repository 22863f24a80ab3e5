package graph_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Khan/genqlient/graphql"
	"github.com/coder/websocket"

	"github.com/goalgraph/goalgraph/graph"
	client "github.com/goalgraph/goalgraph/graph/clienttest/generated"
	"github.com/goalgraph/goalgraph/model/store/storetest"
	"github.com/goalgraph/goalgraph/plugins/host/hosttest"
)

// A generated client knows the filters as types of their own.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	graphs(t, func(t *testing.T, g *testGraph) {
		ctx, c := t.Context(), graphql.NewClient(g.url, http.DefaultClient)
		site, err := client.CreateSite(ctx, c, &client.CreateSiteInput{Name: "A", Domains: []string{"a.example"}})
		if err != nil {
			t.Fatal(err)
		}
		id := site.CreateSite.Site.Id
		g.write("a.example", page("1", "2026-05-01T10:00:00Z", "/pricing", from("t.co")), page("2", "2026-05-02T10:00:00Z", "/", from("t.co")), page("3", "2026-05-01T10:00:00Z", "/pricing"))

		twitter := []*client.FilterInput{{Referrer: &client.ReferrerFilter{Is: []string{"t.co"}}}}
		segment, err := client.CreateSegment(ctx, c, &client.CreateSegmentInput{SiteId: id, Name: "Twitter", Filters: twitter})
		if err != nil || *segment.CreateSegment.Segment.Filters[0].Label != "Referrer is t.co" {
			t.Fatal(segment, err)
		}
		value := "purchase"
		goal, err := client.CreateGoal(ctx, c, &client.CreateGoalInput{SiteId: id, Key: "pricing", Name: "Pricing", ValueEvent: &value,
			Filters: []*client.FilterInput{{Pages: &client.PagesFilter{All: []string{"/pricing"}}}}})
		if err != nil || *goal.CreateGoal.Goal.ValueEvent != value {
			t.Fatal(goal, err)
		}
		begin, end := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)
		in := &client.TimeRange{From: &begin, To: &end}
		cards, err := client.GoalCards(ctx, c, id, in)
		if err != nil {
			t.Fatal(err)
		}
		cell := cards.Site.GoalCards[0].Cells[1]
		if cell.Segment.Name != "Twitter" || *cell.Sessions != 2 || *cell.Conversions != 1 || *cell.ConversionRate != 0.5 || cell.Merged.Label != "Referrer is t.co and Visited /pricing" ||
			len(cell.Series) != 2 || cell.Series[0].Conversions != 1 || cell.Merged.Filters[0].Rule == nil || *cell.Merged.Filters[0].Rule != client.MergeRuleIntersection {
			t.Errorf("%+v", cell)
		}
		var args struct{ All []string }
		if err := json.Unmarshal(cell.Merged.Filters[1].Filter.Args, &args); err != nil || args.All[0] != "/pricing" {
			t.Errorf("%s: %v", cell.Merged.Filters[1].Filter.Args, err)
		}
		least := 0
		counted, err := client.CountSessions(ctx, c, id, append(twitter, &client.FilterInput{SessionLength: &client.SessionLengthFilter{Min: &least}}), in)
		if err != nil || *counted.Site.SessionCount != 2 {
			t.Errorf("%+v, %v", counted, err)
		}
		if _, err := client.CountSessions(ctx, c, id, []*client.FilterInput{{Referrer: twitter[0].Referrer, Pages: &client.PagesFilter{All: []string{"/"}}}}, in); err == nil {
			t.Error("two members were taken")
		}
		found, err := client.Node(ctx, c, goal.CreateGoal.Goal.Id)
		if err != nil {
			t.Fatal(err)
		}
		if node, ok := (*found.Node).(*client.NodeNodeGoal); !ok || node.Key != "pricing" {
			t.Errorf("%+v", found.Node)
		}
	})
}

// dialer opens the WebSockets of a generated client.
type dialer struct{}

func (dialer) DialContext(ctx context.Context, address string, header http.Header) (graphql.WSConn, error) {
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{Subprotocols: header.Values("Sec-WebSocket-Protocol")})
	return wsConn{conn, ctx}, err
}

type wsConn struct {
	conn *websocket.Conn
	ctx  context.Context
}

func (c wsConn) Close() error { return c.conn.CloseNow() }

func (c wsConn) WriteMessage(kind int, text []byte) error {
	return c.conn.Write(c.ctx, websocket.MessageType(kind), text)
}

func (c wsConn) ReadMessage() (kind int, text []byte, err error) {
	read, text, err := c.conn.Read(c.ctx)
	return int(read), text, err
}

// A generated client gets the lists that a mutation has changed with its answer, and those that others change after it.
func TestGeneratedClientFollows(t *testing.T) {
	t.Parallel()
	g := newGraph(t, storetest.SQLite(t))
	ctx, c, site := t.Context(), graphql.NewClient(g.url, http.DefaultClient), g.site("a.example", "UTC")
	socket := graphql.NewClientUsingWebSocket("ws"+strings.TrimPrefix(g.url, "http"), dialer{})
	if _, err := socket.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	changes, id, err := client.FollowGoals(ctx, socket, site)
	if err != nil {
		t.Fatal(err)
	}
	want := func(keys ...string) {
		t.Helper()
		change := <-changes
		if change.Errors != nil {
			t.Fatal(change.Errors)
		}
		var got []string
		for _, goal := range change.Data.DefinitionsChanged.Site.Goals.Nodes {
			got = append(got, goal.Key)
		}
		if !slices.Equal(got, keys) {
			t.Errorf("goals %v, want %v", got, keys)
		}
	}
	want()
	created, err := client.CreateGoal(ctx, c, &client.CreateGoalInput{SiteId: site, Key: "buy", Name: "Buy"})
	if err != nil || len(created.CreateGoal.Site.Goals.Nodes) != 1 || created.CreateGoal.Site.Goals.Nodes[0].Key != "buy" {
		t.Fatalf("%+v, %v", created, err)
	}
	want("buy")
	g.goal(site, "look")
	want("buy", "look")
	if err := socket.Unsubscribe(id); err != nil {
		t.Error(err)
	}
}

// The client's schema is the one that is served.
func TestClientSchemaIsServed(t *testing.T) {
	t.Parallel()
	served, err := graph.SDL(hosttest.New(t).Acquire().Types())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("clienttest/schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != served && string(kept) != served+"\n" {
		t.Error("clienttest/schema.graphqls is not what is served: run make generate")
	}
}
