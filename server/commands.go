package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/app"
)

type serveCommand struct{}

// Run serves until the process is told to end.
func (serveCommand) Run(ctx context.Context, o app.Options) error {
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

type importCommand struct {
	Site   string   `placeholder:"DOMAIN" help:"The site to load into, by one of its domains; it is made where it is missing. By default the only site there is."`
	Format string   `enum:"combined,messages" default:"combined" placeholder:"NAME" help:"What a line is. combined, the default: access logs in Apache's and nginx's combined format. messages: one JSON message of a tracking SDK a line."`
	Bots   string   `enum:"exclude,include" default:"exclude" placeholder:"WHAT" help:"What to do with page views of crawlers: exclude, the default, or include."`
	GeoIP  string   `name:"geoip" placeholder:"FILE" help:"A MaxMind-format file of countries (.mmdb) to find addresses' countries in."`
	Files  []string `arg:"" name:"file" help:"Files to load, packed by gzip or not; - is standard input."`
}

// Help ends the text of --help.
func (importCommand) Help() string {
	return `It ends with one line of JSON on standard output: what became of the lines, and the visitors and sessions that the site has now. What was imported before is not counted again, so after a failure the same command goes on.

  goalgraph import --site shop.example access.log access.log.1.gz
  zcat logs/*.gz | goalgraph import --site shop.example -`
}

// Validate refuses to read standard input twice.
func (c importCommand) Validate() error {
	if first := slices.Index(c.Files, "-"); first >= 0 && slices.Contains(c.Files[first+1:], "-") {
		return errors.New("- is given twice, but standard input can be read once only")
	}
	return nil
}

// Run loads the files and prints what became of them as one line of JSON.
func (c importCommand) Run(ctx context.Context, s streams, o app.Options) error {
	summary, err := app.Import(ctx, o, app.ImportOptions{
		Site: c.Site, Format: c.Format, IncludeBots: c.Bots == "include", GeoIP: c.GeoIP, Files: c.Files, Stdin: s.in, Stderr: s.err,
	})
	if err != nil {
		if summary.Messages > 0 {
			o.Log.InfoContext(ctx, "what was read before is kept; importing again adds the rest", "lines", summary.Lines, "messages", summary.Messages)
		}
		return err
	}
	return json.NewEncoder(s.out).Encode(summary)
}

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Bring the schema to the newest version."`
	Down   migrateDown   `cmd:"" help:"Take the newest migration back, with the data that it holds."`
	Status migrateStatus `cmd:"" help:"Show which migrations the database has."`
}

type migrateUp struct{}

// Run migrates to the newest version.
func (migrateUp) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		applied, err := st.Migrate(ctx)
		if err == nil {
			fmt.Fprintf(s.out, "applied %d\n", applied)
		}
		return err
	})
}

type migrateDown struct{}

// Run takes one migration back.
func (migrateDown) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		undone, err := st.MigrateDown(ctx)
		switch {
		case err != nil:
			return err
		case undone == nil:
			fmt.Fprintln(s.out, "nothing to take back")
		default:
			fmt.Fprintf(s.out, "took back %03d_%s\n", undone.Version, undone.Name)
		}
		return nil
	})
}

type migrateStatus struct{}

// Run lists the migrations.
func (migrateStatus) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		migrations, err := st.Migrations(ctx)
		for _, m := range migrations {
			state := "pending"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(s.out, "%03d_%s\t%s\n", m.Version, m.Name, state)
		}
		return err
	})
}

type pluginCommand struct {
	List  pluginList  `cmd:"" help:"List the plugins and the filter types that they offer."`
	Check pluginCheck `cmd:"" help:"Start one plugin, and check what it says of itself."`
}

type pluginList struct{}

// Run lists the plugins as a table.
func (pluginList) Run(ctx context.Context, s streams, o app.Options) error {
	plugins, err := app.Plugins(ctx, o)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLUGIN\tVERSION\tSTATUS\tFILTER TYPES")
	for _, plugin := range plugins {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", plugin.Name, plugin.Version, plugin.Status, app.TypeNames(plugin))
		if plugin.Reason != "" {
			fmt.Fprintf(table, "\t\t\t%s\n", plugin.Reason)
		}
	}
	return table.Flush()
}

type pluginCheck struct {
	File string `arg:"" help:"The plugin's executable."`
}

// Run checks one plugin.
func (c pluginCheck) Run(ctx context.Context, s streams, o app.Options) error {
	plugin, err := app.CheckPlugin(ctx, o, c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s %s: ok, offers %s\n", plugin.Name, plugin.Version, app.TypeNames(plugin))
	return err
}

type schemaCommand struct{}

// Run prints the schema.
func (schemaCommand) Run(ctx context.Context, s streams, o app.Options) error {
	sdl, err := app.Schema(ctx, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.out, sdl)
	return err
}
