package graph

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/graph/view"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
)

type sessionResolver struct{ *Resolver }

func (r *sessionResolver) Hits(ctx context.Context, session *view.Session, first *int, after *string, last *int, before *string) (*view.HitConnection, error) {
	w := window{first, last, after, before}
	n, err := w.limit()
	if err != nil {
		return nil, err
	}
	page := store.HitPage{FromEnd: w.fromEnd(), Limit: n + 1}
	if page.After, err = decodeHitCursor("after", after); err != nil {
		return nil, err
	}
	if page.Before, err = decodeHitCursor("before", before); err != nil {
		return nil, err
	}
	found, err := collectionOf(ctx).hits.load(ctx, hitsAsked{session.Kept, page})
	if err != nil {
		return nil, err
	}
	hits := make([]view.Hit, len(found))
	for i := range found {
		hits[i] = view.HitOf(encodeTextID(hitNoun, fmt.Sprintf("%d/%x", session.Kept.ID.Site, found[i].ID)), &found[i])
	}
	c := connect[view.Hit, view.HitEdge](hits, w, n, func(i int) string { return hitCursor(&found[i]) },
		func(context.Context) (int, error) { return session.Kept.Hits, nil })
	return (*view.HitConnection)(c), nil
}

const hitNoun noun = "Hit"

// hitsAsked asks for a page of a session's hits.
type hitsAsked struct {
	session *model.Session
	page    store.HitPage
}

// hitsAtOnce is about how many hits are read together: each may have a message of tens of kilobytes.
const hitsAtOnce = 1000

// hitsOf returns the pages that are asked for. Equal pages of a site's sessions are read together.
func (r *Resolver) hitsOf(ctx context.Context, asked []hitsAsked) ([][]model.Hit, error) {
	type kind struct {
		site int64
		page store.HitPage
	}
	together := map[kind][]int{}
	for i, one := range asked {
		key := kind{one.session.ID.Site, one.page}
		together[key] = append(together[key], i)
	}
	pages := make([][]model.Hit, len(asked))
	for key, all := range together {
		for places := range slices.Chunk(all, max(1, hitsAtOnce/key.page.Limit)) {
			sessions := make([]*model.Session, len(places))
			for i, place := range places {
				sessions[i] = asked[place].session
			}
			found, err := readWithin(ctx, bytesOfHits, func() ([][]model.Hit, error) { return r.store.Hits(ctx, key.site, sessions, key.page) })
			if err != nil {
				return nil, err
			}
			for i, place := range places {
				pages[place] = found[i]
			}
		}
	}
	return pages, nil
}

func bytesOfHits(hits *[]model.Hit) (bytes int) {
	for i := range *hits {
		bytes += (*hits)[i].TextBytes()
	}
	return bytes
}

// hitCursor is the cursor of a session's hits in their order.
func hitCursor(hit *model.Hit) string {
	return encodeCursor(fmt.Sprintf("%d/%d/%x", hit.At, hit.Place, hit.ID))
}

func decodeHitCursor(argument string, cursor *string) (place store.HitPlace, err error) {
	text, err := decodeCursor(argument, cursor)
	if err != nil || text == "" {
		return place, err
	}
	parts := strings.Split(text, "/")
	if len(parts) != 3 || hex.DecodedLen(len(parts[2])) != len(place.ID) {
		return place, badCursor(argument, *cursor)
	}
	at, badTime := strconv.ParseInt(parts[0], 10, 64)
	number, badPlace := strconv.ParseInt(parts[1], 10, 32)
	_, badID := hex.Decode(place.ID[:], []byte(parts[2]))
	if badTime != nil || badPlace != nil || badID != nil {
		return place, badCursor(argument, *cursor)
	}
	return store.HitPlace{IsSet: true, At: model.Millis(at), Place: int32(number), ID: place.ID}, nil
}
