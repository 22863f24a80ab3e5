package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/goalgraph/goalgraph/model"
)

type siteRow struct {
	bun.BaseModel `bun:"table:sites,alias:sites"`

	ID               int64 `bun:",pk,autoincrement"`
	Name             string
	Timezone         string
	Addresses        model.AddressPrivacy
	IgnoredReferrers string
	Bots             model.BotPolicy
	UpdatedAt        int64
	// HoldoutShare is 0 where nobody is held out.
	HoldoutShare float64
	HoldoutSeed  string
	// RetentionDays is 0 where sessions are kept for good.
	RetentionDays int
}

func rowOfSite(site *model.Site) (*siteRow, error) {
	row := &siteRow{ID: site.ID, Name: site.Name, Timezone: site.Timezone, Addresses: site.Addresses, Bots: site.Bots, UpdatedAt: site.UpdatedAt.UnixMilli()}
	if site.Holdout != nil {
		row.HoldoutShare, row.HoldoutSeed = site.Holdout.Share, site.Holdout.Seed
	}
	if site.RetentionDays != nil {
		row.RetentionDays = *site.RetentionDays
	}
	return row, encodeJSON(&row.IgnoredReferrers, len(site.IgnoredReferrers), site.IgnoredReferrers)
}

type domainRow struct {
	bun.BaseModel `bun:"table:site_domains,alias:site_domains"`

	Domain   string `bun:",pk"`
	SiteID   int64
	Position int
}

// CreateSite stores a new site with its active segment All, and sets its ID. The error
// is Conflict if another site has one of the domains.
func (s *Store) CreateSite(ctx context.Context, site *model.Site) (err error) {
	defer wrap(&err, "create site %q", site.Name)
	if err := site.Validate(); err != nil {
		return err
	}
	return s.inTransaction(ctx, func(tx bun.Tx) error {
		site.UpdatedAt = model.MillisOf(s.now()).Time()
		row, err := rowOfSite(site)
		if err != nil {
			return err
		}
		row.ID = 0
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return err
		}
		site.ID = row.ID
		if err := insertDomains(ctx, tx, site); err != nil {
			return err
		}
		all := model.AllSegment(site.ID)
		if err := s.insertSegment(ctx, tx, &all); err != nil {
			return err
		}
		return s.record(ctx, tx, ofSite(model.Created, site, "", documentOfSite(site)))
	})
}

func insertDomains(ctx context.Context, tx bun.Tx, site *model.Site) error {
	if len(site.Domains) == 0 {
		return nil
	}
	rows := make([]domainRow, len(site.Domains))
	for i, domain := range site.Domains {
		rows[i] = domainRow{Domain: domain, SiteID: site.ID, Position: i}
	}
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	if err = sortError(err); errors.Is(err, errUnique) {
		e := model.Errorf(model.Conflict, "another site already has one of these domains; a domain belongs to one site only")
		e.Field, e.Cause = "domains", err
		return e
	}
	return err
}

// UpdateSite calls apply with the site and stores the result. Nothing changes if
// apply fails or the result is invalid.
func (s *Store) UpdateSite(ctx context.Context, id int64, apply func(*model.Site) error) (site *model.Site, err error) {
	defer wrap(&err, "update site %d", id)
	err = s.define(ctx, func(tx bun.Tx) (change, error) {
		if site, err = s.site(ctx, tx, id, s.dialect.rowLock); err != nil {
			return change{}, err
		}
		before := documentOfSite(site)
		if err := apply(site); err != nil {
			return change{}, err
		}
		if err := site.Validate(); err != nil {
			return change{}, err
		}
		changed := ofSite(model.Updated, site, before, documentOfSite(site))
		if changed.isNone() {
			return changed, nil
		}
		site.Revision, site.UpdatedAt = 0, s.nextUpdate(site.UpdatedAt) // the revision moves
		row, err := rowOfSite(site)
		if err != nil {
			return change{}, err
		}
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return change{}, err
		}
		if _, err := tx.NewDelete().Table("site_domains").Where("site_id = ?", id).Exec(ctx); err != nil {
			return change{}, err
		}
		return changed, insertDomains(ctx, tx, site)
	})
	return site, err
}

// DeleteSite deletes the site with its definitions, sessions and hits. Its part of the audit log stays. Nothing changes if
// check fails; nil checks nothing.
func (s *Store) DeleteSite(ctx context.Context, id int64, check func(*model.Site) error) (err error) {
	defer wrap(&err, "delete site %d", id)
	return s.defineAll(ctx, func(tx bun.Tx) ([]change, error) {
		// Writers lock the row too, so they have finished or will find no site.
		site, err := s.site(ctx, tx, id, s.dialect.rowLock)
		if err != nil {
			return nil, err
		}
		if check != nil {
			if err := check(site); err != nil {
				return nil, err
			}
		}
		changes, err := s.withdraw(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		for _, table := range []string{
			"assignments", "kept_assignments", "columns", "computed", "computations", "erasures", "events", "experiment_columns", "hits", "leases", "messages", "partitions", "sessions",
			"site_dimensions", "site_values", "links", "visitor_users", "visitor_user_revisions", "visitors", // visits
			"named_segments", "experiments", "segments", "goals", "site_domains",
		} {
			if _, err := tx.NewDelete().Table(table).Where("site_id = ?", id).Exec(ctx); err != nil {
				return nil, err
			}
		}
		if _, err := tx.NewDelete().Table("sites").Where("id = ?", id).Exec(ctx); err != nil {
			return nil, err
		}
		return append([]change{ofSite(model.Deleted, site, documentOfSite(site), "")}, changes...), moveEpoch(ctx, tx)
	})
}

// withdraw takes a site from the keys and users that have it. A key ends with the last of its sites. Of keys and users of
// other sites too, the changes are of no site.
func (s *Store) withdraw(ctx context.Context, tx bun.Tx, site int64) (changes []change, err error) {
	keys, err := keysOf(ctx, tx, func(query *bun.SelectQuery) *bun.SelectQuery {
		return query.Where("id IN (SELECT key_id FROM key_sites WHERE site_id = ?)", site)
	})
	if err != nil {
		return nil, err
	}
	users, err := usersOf(ctx, tx, func(query *bun.SelectQuery) *bun.SelectQuery {
		return query.Where("id IN (SELECT user_id FROM user_roles WHERE site_id = ?)", site)
	})
	if err != nil {
		return nil, err
	}
	for _, table := range []string{"key_sites", "user_roles"} {
		if _, err := tx.NewDelete().Table(table).Where("site_id = ?", site).Exec(ctx); err != nil {
			return nil, err
		}
	}
	for i := range keys {
		key, before := &keys[i], documentOfKey(&keys[i])
		if len(key.Sites) == 1 {
			changes = append(changes, ofKey(model.Deleted, key, before, ""))
			if _, err := tx.NewDelete().Table("api_keys").Where("id = ?", key.ID).Exec(ctx); err != nil {
				return nil, err
			}
			continue
		}
		key.Sites = slices.DeleteFunc(key.Sites, func(of int64) bool { return of == site })
		changed := ofKey(model.Updated, key, before, documentOfKey(key))
		changed.site = 0 // as the key has had others
		changes = append(changes, changed)
	}
	for i := range users {
		user, before := &users[i], documentOfUser(&users[i])
		user.Roles = slices.DeleteFunc(user.Roles, func(role model.SiteRole) bool { return role.Site == site })
		changes = append(changes, ofUser(model.Updated, user, before, documentOfUser(user)))
	}
	return changes, nil
}

// Site returns a site by its id, or NotFound.
func (s *Store) Site(ctx context.Context, id int64) (site *model.Site, err error) {
	defer wrap(&err, "site %d", id)
	return s.site(ctx, s.db, id, "")
}

func (s *Store) site(ctx context.Context, db bun.IDB, id int64, lock string) (*model.Site, error) {
	if lock != "" {
		// First, since a query that waits for a lock reads joined rows as they were before.
		if _, err := db.NewSelect().Table("sites").Column("id").Where("id = ?", id).For(lock).Exec(ctx); err != nil {
			return nil, err
		}
	}
	sites, err := s.sites(ctx, db, siteByID, id)
	if err != nil {
		return nil, err
	}
	if len(sites) == 0 {
		return nil, notFound(sql.ErrNoRows, "site")
	}
	return &sites[0], nil
}

// SiteByDomain returns the site with the domain, or NotFound.
func (s *Store) SiteByDomain(ctx context.Context, domain string) (site *model.Site, err error) {
	defer wrap(&err, "site of domain %q", domain)
	var sites []model.Site
	if isKeepable(domain) {
		sites, err = s.sites(ctx, s.db, siteByDomain, model.DomainOf(domain), model.ASCIIHost(model.DomainOf(domain)))
	}
	if err != nil {
		return nil, err
	}
	if len(sites) == 0 {
		return nil, model.Errorf(model.NotFound, "no site has the domain %q", domain)
	}
	return &sites[0], nil
}

// Sites returns all sites, oldest first.
func (s *Store) Sites(ctx context.Context) (sites []model.Site, err error) {
	defer wrap(&err, "sites")
	return s.sites(ctx, s.db, allSites)
}

// SitesByID returns the sites that exist, in no particular order.
func (s *Store) SitesByID(ctx context.Context, ids []int64) (sites []model.Site, err error) {
	defer wrap(&err, "%d sites by id", len(ids))
	rows, err := s.db.QueryContext(ctx, selectSites+"sites.id IN (?)"+inOrder, bun.List(ids))
	if err != nil {
		return nil, err
	}
	return scanSites(rows)
}

// allSites selects the ids of all sites. A statement about visits names its sites, if only by that.
func (s *Store) allSites() *bun.SelectQuery { return s.db.NewSelect().Table("sites").Column("id") }

// selectSites are the beginning and the end of statements that read sites with their domains, the oldest first.
const (
	selectSites = "SELECT sites.id, sites.name, sites.timezone, sites.addresses, sites.ignored_referrers, sites.bots, sites.holdout_share, sites.holdout_seed, sites.retention_days, sites.updated_at, sites.revision, COALESCE(site_domains.domain, '') " +
		"FROM sites LEFT JOIN site_domains ON site_domains.site_id = sites.id WHERE "
	inOrder = " ORDER BY sites.id, site_domains.position"
)

var (
	allSites = bind(selectSites + "TRUE" + inOrder)
	siteByID = bind(selectSites + "sites.id = ?1" + inOrder)
	// Domains may be in Punycode that were stored before 002_visitors.
	siteByDomain = bind(selectSites + "sites.id = (SELECT site_id FROM site_domains WHERE domain IN (?1, ?2) ORDER BY domain = ?1 DESC LIMIT 1)" + inOrder)
)

// sites returns what a statement of selectSites finds.
func (s *Store) sites(ctx context.Context, db bun.IDB, statement bound, values ...any) ([]model.Site, error) {
	rows, err := s.dialect.rows(ctx, db, statement, values...)
	if err != nil {
		return nil, err
	}
	return scanSites(rows)
}

func scanSites(rows *sql.Rows) ([]model.Site, error) {
	defer rows.Close()
	sites := []model.Site{}
	for rows.Next() {
		site, domain, ignored, updatedAt := model.Site{Domains: []string{}, IgnoredReferrers: []string{}}, "", "", int64(0)
		var holdout model.Holdout
		var retention int
		if err := rows.Scan(&site.ID, &site.Name, &site.Timezone, &site.Addresses, &ignored, &site.Bots, &holdout.Share, &holdout.Seed, &retention, &updatedAt, &site.Revision, &domain); err != nil {
			return nil, err
		}
		if site.UpdatedAt = fromMillis(updatedAt); holdout.Share > 0 {
			site.Holdout = &holdout
		}
		if retention > 0 {
			site.RetentionDays = &retention
		}
		if err := decodeJSON(ignored, &site.IgnoredReferrers); err != nil {
			return nil, err
		}
		if len(sites) == 0 || sites[len(sites)-1].ID != site.ID {
			sites = append(sites, site)
		}
		if site := &sites[len(sites)-1]; domain != "" {
			site.Domains = append(site.Domains, model.DomainOf(domain))
		}
	}
	return sites, rows.Err()
}

// notFound turns a missing row into a NotFound error that names what is missing.
func notFound(err error, noun string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return model.Errorf(model.NotFound, "there is no %s with this id", noun)
	}
	return err
}
