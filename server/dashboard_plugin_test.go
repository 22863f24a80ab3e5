//go:build system

// The steps of TestDashboard about plugins. They run the server, npm packages and Chromium, so they have the tag system: see
// main_test.go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// pluginVariable is the environment variable by which a process of the tests is a plugin: this program is built already.
const pluginVariable = "GOALGRAPH_TEST_PLUGIN"

// visitShape is a filter type that the dashboard's source knows nothing of, with all that makes forms hard: a oneOf within, a list
// of an enum, a list whose order counts, and itself.
type visitShape struct{}

type visitShapeArgs struct {
	Path   []string         `json:"path,omitempty"`
	Device []string         `json:"device,omitempty"`
	Size   *visitShapeSize  `json:"size,omitempty"`
	Unless []visitShapeArgs `json:"unless,omitempty"`
}

type visitShapeSize struct {
	Pages   *visitShapeSpan `json:"pages,omitempty"`
	Seconds *visitShapeSpan `json:"seconds,omitempty"`
}

type visitShapeSpan struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

func (visitShape) Describe() plugins.Description {
	return plugins.Description{
		Name: "visitShape", Title: "Visit shape", Description: "Sessions of a shape. Merged, both hold.", Rule: plugins.Intersection, Input: "VisitShapeFilter",
		SDL: `
"The shape of a visit."
input VisitShapeFilter {
  "The first page and the last one, in this order."
  path: [String!]
  "One of these devices."
  device: [VisitShapeDevice!]
  "How much it was."
  size: VisitShapeSize
  "Shapes that it has not."
  unless: [VisitShapeFilter!]
}
"How much a visit was."
input VisitShapeSize @oneOf {
  "By page views."
  pages: VisitShapeSpan
  "By seconds."
  seconds: VisitShapeSpan
}
"From and to."
input VisitShapeSpan {
  "This much or more."
  min: Float
  "This much or less."
  max: Float
}
"A device."
enum VisitShapeDevice {
  "A phone."
  MOBILE
  "A computer."
  DESKTOP
  "Neither."
  TABLET
}`,
	}
}

func (v visitShape) Compile(ctx context.Context, args visitShapeArgs) (filter.Expr, error) {
	shape := filter.And{}
	if args.Path != nil {
		if len(args.Path) != 2 {
			return nil, plugins.ArgError("path", "needs two pages, not %d", len(args.Path))
		}
		shape = append(shape, filter.In{Field: filter.EntryPage, Values: args.Path[:1]}, filter.In{Field: filter.ExitPage, Values: args.Path[1:]})
	}
	if args.Device != nil {
		shape = append(shape, filter.In{Field: filter.Device, Values: args.Device})
	}
	if args.Size != nil {
		for field, span := range map[filter.Field]*visitShapeSpan{filter.PageViews: args.Size.Pages, filter.Length: args.Size.Seconds} {
			if span != nil {
				shape = append(shape, plugins.Span[float64]{Min: span.Min, Max: span.Max}.Expr(field))
			}
		}
	}
	for i, other := range args.Unless {
		e, err := v.Compile(ctx, other)
		if err != nil {
			return nil, plugins.ArgError(plugins.At("unless", i), "%v", err)
		}
		shape = append(shape, filter.Not{Expr: e})
	}
	return shape, nil
}

// mustWriteVisitShape writes the plugin as a program into a folder. While a file beside it says so, it ends as soon as it begins.
func mustWriteVisitShape(t *testing.T) (program, broken string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	program, broken = filepath.Join(folder, "visitshape"), filepath.Join(folder, "broken")
	text := fmt.Sprintf("#!/bin/sh\n[ -e %q ] && exit 1\n%s=visitshape exec %q visitshape\n", broken, pluginVariable, self)
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, broken
}

// Of a plugin that the page's authors have not seen, a filter is put together by hand: what the form makes is what the graph has. When
// it is killed, or goes, only its own cells say so.
func (d *dashboard) shapeUnseenPlugin(t *testing.T, folder string) {
	program, broken := mustWriteVisitShape(t)
	mustDrop(t, program, folder)
	d.server.awaitAnswer(t, `{ __type(name: "VisitShapeFilter") { name } }`, func(g graphQL) bool { return strings.Contains(string(g.Data), "VisitShapeFilter") })
	d.open(sampleSite+"/segments?panel=segment.new", editorShown)
	d.write("Name", "Shaped")
	d.write("Add a filter", "Visit shape")
	d.await(`document.querySelector('dialog [role=option]')?.innerText.includes('Visit shape')`)
	d.enter()
	// A list keeps its order.
	for _, value := range []string{"/b", "/", "/a"} {
		d.write("Path", value)
		d.enter()
	}
	d.click("dialog button", "Remove /b")
	// Radios for the oneOf within, and one row for its ends.
	d.click("dialog button", "+ Give Size")
	d.choose("Seconds")
	d.choose("Pages")
	d.await(`document.querySelector('dialog [class*=pair]')`)
	d.write("Min", "2")
	d.write("Max", "1x")
	// The type itself within, and a list of an enum in it.
	d.click("dialog button", "+ Give Unless")
	d.click("dialog button", "+ Add to Unless")
	d.await(`document.querySelectorAll('dialog input[type=checkbox]').length === 7`) // active, and the devices twice
	d.choose("Tablet")
	d.choose("Mobile")
	d.click("dialog button", "Create")
	d.await(`document.querySelector('dialog input[aria-invalid=true]')?.value === '1x'`)
	d.write("Max", "9")
	d.click("dialog button", "Create")
	d.await(`!document.querySelector('dialog') && document.body.innerText.includes('Shaped')`)
	var made struct {
		Segments struct {
			Nodes []struct {
				Filters      []struct{ Inputs any }
				SessionCount int
			}
		}
	}
	d.ask(&made, `segments(search: "Shaped") { nodes { filters { inputs } sessionCount(`+sampleDays.graph+`) } }`)
	var want any
	if err := json.Unmarshal([]byte(`{"visitShape": {"path": ["/", "/a"], "size": {"pages": {"min": 2, "max": 9}}, "unless": [{"device": ["MOBILE", "TABLET"]}]}}`), &want); err != nil {
		t.Fatal(err)
	}
	if got := made.Segments.Nodes; len(got) != 1 || len(got[0].Filters) != 1 || !reflect.DeepEqual(got[0].Filters[0].Inputs, want) {
		t.Fatalf("the form made %+v, not %+v", got, want)
	}

	// Killed, it is missed where it is needed: what it said before is known.
	if err := os.WriteFile(broken, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.open(sampleSite+"?"+sampleDays.address, cellsShown+` && document.body.innerText.includes('Shaped')`)
	before := eval[[][]string](d, cells)
	for _, pid := range d.server.pidsOf(t, "visitshape") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	killed := time.Now()
	d.open(sampleSite+"/plugins", `[...document.querySelectorAll('main li')].some(e => e.innerText.includes('visitshape') && e.innerText.includes('Being started again'))`)
	t.Logf("the page tells of a killed plugin after %s", time.Since(killed))
	d.open(sampleSite+"?"+sampleDays.address, cellsShown)
	// What is followed keeps what it began with; who comes then misses it.
	mustRemove(t, program, folder)
	d.server.awaitAnswer(t, `{ __type(name: "VisitShapeFilter") { name } }`, func(g graphQL) bool { return !strings.Contains(string(g.Data), "VisitShapeFilter") })
	d.open(sampleSite+"?"+sampleDays.address, cellsShown+` && document.body.innerText.includes('Not available')`)
	last := len(before[0]) - 1
	for i, row := range eval[[][]string](d, cells) {
		for j, text := range row {
			if isIts := j == last; isIts != strings.Contains(text, "Not available") || !isIts && text != before[i][j] {
				t.Errorf("cell %d, %d says %q, and said %q", i, j, text, before[i][j])
			}
		}
	}
	// What is missing hinders nobody from changing something.
	d.open(sampleSite+"/segments", `document.body.innerText.includes('Shaped')`)
	d.do(`document.querySelector('[aria-label="Active: Shaped"]').click()`)
	d.await(`!document.querySelector('[aria-label="Active: Shaped"]').checked && !document.querySelector('[role=alert]')`)
	d.click("button", "Delete: Shaped")
	d.click("[role=group] button", "Delete")
	d.await(`!document.body.innerText.includes('Shaped')`)
}

// enter presses Enter as people do: a page that takes the key keeps it from the form.
func (d *dashboard) enter() {
	d.Helper()
	key := func(kind input.KeyType) *input.DispatchKeyEventParams {
		return input.DispatchKeyEvent(kind).WithKey("Enter").WithCode("Enter").WithWindowsVirtualKeyCode(13)
	}
	d.run(key(input.KeyDown).WithText("\r"), key(input.KeyUp))
}

// choose checks or chooses what has a text that begins so.
func (d *dashboard) choose(name string) {
	d.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll('dialog label')].findLast(e => e.innerText.startsWith(%q))`, name)
	d.await(find + ` !== undefined`)
	d.do(find + `.click()`)
}
