package store

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/goalgraph/goalgraph/model"
)

// link says that a user is on a device from a time on.
type link struct {
	at     model.Millis
	place  int32
	device string
}

func (l link) compare(other link) int {
	return cmp.Or(cmp.Compare(l.at, other.at), cmp.Compare(l.place, other.place), strings.Compare(l.device, other.device))
}

// writtenUser is a user whom the batch names.
type writtenUser struct {
	id string
	// from and to are the times for which links are needed. known are those that were there, ordered, and added those that
	// the batch tells of.
	from, to     model.Millis
	known, added []link
}

// need notes that the user's links are needed for a time.
func (u *writtenUser) need(at model.Millis) { u.from, u.to = min(u.from, at), max(u.to, at) }

// deviceAt returns the device that a user is on at a time, by the links, which are ordered: that of the latest one until then, or
// else of the first one after it. Without links it is the user.
func (u *writtenUser) deviceAt(links []link, at model.Millis) string {
	if len(links) == 0 {
		return u.id
	}
	after, _ := slices.BinarySearchFunc(links, at, func(l link, at model.Millis) int { return cmp.Or(cmp.Compare(l.at, at), -1) })
	return links[max(0, after-1)].device
}

// all returns all links, ordered.
func (u *writtenUser) all() []link {
	links := slices.Concat(u.known, u.added)
	slices.SortFunc(links, link.compare)
	return slices.Compact(links)
}

// removal is hits of a user, of some time, that become another visitor's, because links came late.
type removal struct {
	user, from, to string // the names of the user and of the visitors
	since, until   model.Millis
}

// removals returns which hits the added links move: within the times of the known links.
func (u *writtenUser) removals() (found []removal) {
	links := u.all()
	since := -model.Open
	if len(u.known) > 0 && u.known[0].at < u.from { // what is before it stays as it is
		since = u.known[0].at
	}
	for i := 0; i <= len(links); i++ {
		until := model.Open
		if i < len(links) {
			until = links[i].at
		}
		if until <= since {
			continue
		}
		if from, to := u.deviceAt(u.known, since), u.deviceAt(links, since); from != to {
			found = append(found, removal{user: u.id, from: from, to: to, since: since, until: until})
		}
		since = until
	}
	return found
}

// readUsers reads what the links of the batch's users say, and finds which older hits move by the new ones.
func (w *writer) readUsers(ctx context.Context) error {
	w.users = map[string]*writtenUser{}
	var linking, named []string // users
	for i := range w.fresh {
		message := &w.fresh[i]
		if message.UserID == "" {
			continue
		}
		u := w.users[message.UserID]
		if u == nil {
			u = &writtenUser{id: message.UserID, from: model.Open, to: -model.Open}
			w.users[u.id] = u
		}
		switch {
		case message.AnonymousID != "":
			if u.added == nil {
				linking = append(linking, u.id)
			}
			u.added = append(u.added, link{message.Hit.At, message.Hit.Place, message.AnonymousID})
		case message.Hit.Kind != 0:
			if u.from > u.to {
				named = append(named, u.id)
			}
			u.need(message.Hit.At)
		}
	}
	if len(w.users) == 0 {
		return nil
	}
	if err := w.lockUsers(ctx); err != nil {
		return err
	}
	moving, err := w.usersWithHits(ctx, linking)
	if err != nil {
		return err
	}
	for _, user := range moving {
		for _, l := range w.users[user].added {
			w.users[user].need(l.at)
		}
	}
	needed := slices.Concat(named, moving)
	slices.Sort(needed)
	if err := w.readLinks(ctx, slices.Compact(needed)); err != nil {
		return err
	}
	var removals []removal
	for _, user := range moving {
		removals = append(removals, w.users[user].removals()...)
	}
	if err := w.findRemovals(ctx, removals); err != nil {
		return err
	}
	return w.saveLinks(ctx)
}

// userLocks is how many locks the users of a site share: each takes memory of the database's.
const userLocks = 256

// lockUsers keeps other writers away from the links of the batch's users, and from hits that name these users alone: each is
// read to decide on the other.
func (w *writer) lockUsers(ctx context.Context) error {
	if w.dialect.userLock == "" {
		return nil
	}
	var locks []int64
	for user := range w.users {
		hash := fnv.New64a()
		fmt.Fprintf(hash, "%d %s", w.site, user)
		locks = append(locks, w.site*userLocks+int64(hash.Sum64()%userLocks))
	}
	slices.Sort(locks)
	_, err := w.tx.NewRaw(w.dialect.userLock, bun.List(slices.Compact(locks))).Exec(ctx)
	return err
}

// usersWithHits returns those of the users of whom there are hits that name no device.
func (w *writer) usersWithHits(ctx context.Context, users []string) (found []string, err error) {
	for chunk := range slices.Chunk(slices.Sorted(slices.Values(users)), insertChunk) {
		var some []string
		if err := w.tx.NewRaw("SELECT listed.column1 FROM ? WHERE EXISTS (SELECT 1 FROM hits WHERE site_id = ? AND user_id = listed.column1 AND user_id <> '')",
			listed(chunk, func(user string) []any { return []any{user} }), w.site).Scan(ctx, &some); err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// listed returns a table of rows for a FROM clause, with the columns column1, column2 and so on.
func listed[T any](rows []T, values func(T) []any) schema.QueryWithArgs {
	var list strings.Builder
	var all []any
	for i, row := range rows {
		values := values(row)
		list.WriteString([2]string{"(", ", ("}[min(i, 1)] + "?" + strings.Repeat(", ?", len(values)-1) + ")")
		all = append(all, values...)
	}
	return bun.SafeQuery("(VALUES "+list.String()+") AS listed", all...)
}

// readLinks reads the links of users for the times that are needed, with the one before and the one after.
func (w *writer) readLinks(ctx context.Context, users []string) error {
	for chunk := range slices.Chunk(users, insertChunk) {
		rows, err := w.tx.QueryContext(ctx, "SELECT links.user_id, links.at, links.place, links.device FROM ? JOIN links ON links.site_id = ? AND links.user_id = listed.column1 "+
			"AND links.at >= COALESCE((SELECT MAX(at) FROM links AS l WHERE l.site_id = ? AND l.user_id = listed.column1 AND l.at < listed.column2), listed.column2) "+
			"AND links.at <= COALESCE((SELECT MIN(at) FROM links AS l WHERE l.site_id = ? AND l.user_id = listed.column1 AND l.at > listed.column3), listed.column3)",
			listed(chunk, func(user string) []any { return []any{user, w.users[user].from, w.users[user].to} }), w.site, w.site, w.site)
		if err != nil {
			return err
		}
		for rows.Next() {
			var user string
			var l link
			if err := rows.Scan(&user, (*int64)(&l.at), &l.place, &l.device); err != nil {
				rows.Close()
				return err
			}
			w.users[user].known = append(w.users[user].known, l)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	for _, user := range users {
		slices.SortFunc(w.users[user].known, link.compare)
	}
	return nil
}

// findRemovals keeps those removals that there are hits for, with the times of these.
func (w *writer) findRemovals(ctx context.Context, removals []removal) error {
	for chunk := range slices.Chunk(removals, insertChunk) {
		places := make([]int, len(chunk))
		for i := range places {
			places[i] = i
		}
		rows, err := w.tx.QueryContext(ctx, "SELECT listed.column1, MIN(hits.at), MAX(hits.at) FROM ? JOIN hits ON hits.site_id = ? AND hits.user_id = listed.column2 AND hits.user_id <> '' "+
			"AND hits.at >= listed.column3 AND hits.at < listed.column4 GROUP BY listed.column1",
			listed(places, func(i int) []any { return []any{i, chunk[i].user, chunk[i].since, chunk[i].until} }), w.site)
		if err != nil {
			return err
		}
		for rows.Next() {
			var place int
			var first, last model.Millis
			if err := rows.Scan(&place, (*int64)(&first), (*int64)(&last)); err != nil {
				rows.Close()
				return err
			}
			r := chunk[place]
			r.since, r.until = first, last+1
			w.removals = append(w.removals, r)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// saveLinks keeps the links that the batch tells of.
func (w *writer) saveLinks(ctx context.Context) error {
	type row struct {
		bun.BaseModel `bun:"table:links"`

		SiteID int64
		UserID string
		At     model.Millis
		Place  int32
		Device string
	}
	var rows []row
	for _, user := range slices.Sorted(maps.Keys(w.users)) {
		links := w.users[user].added
		slices.SortFunc(links, link.compare)
		links = slices.Compact(links)
		w.users[user].added = links
		for _, l := range links {
			rows = append(rows, row{SiteID: w.site, UserID: user, At: l.at, Place: l.place, Device: l.device})
		}
	}
	return w.insert(ctx, len(rows), func(from, to int) *bun.InsertQuery {
		part := rows[from:to]
		return w.tx.NewInsert().Model(&part).On("CONFLICT DO NOTHING")
	})
}
