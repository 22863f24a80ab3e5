package check

import (
	"fmt"
	"io"
	"strings"
)

// The rules, in the order in which they are looked at.
const (
	Start       = "start"
	Description = "description"
	Compile     = "compile"
	Label       = "label"
	Purity      = "purity"
	Merge       = "merge"
	Limits      = "limits"
	Speed       = "speed"
	End         = "end"
)

// Report is what was found of a plugin.
type Report struct {
	// Plugin and Version are its own words, empty where it did not come to say
	// them.
	Plugin  string   `json:"plugin"`
	Version string   `json:"version"`
	Results []Result `json:"results"`
}

// Result is what was found of one rule.
type Result struct {
	Rule string `json:"rule"`
	// Type is the filter type's name, empty for what concerns the whole plugin.
	Type string `json:"type,omitempty"`
	// Tried says on what the rule was tried, in some words.
	Tried string `json:"tried,omitempty"`
	// Findings are empty where the rule is kept. More counts those that are left
	// out, because they are like these.
	Findings []Finding `json:"findings,omitempty"`
	More     int       `json:"more,omitempty"`
}

// Finding is one breach of a rule.
type Finding struct {
	// Problem says what was seen, Advice what to do.
	Problem string `json:"problem"`
	Advice  string `json:"advice"`
}

// mostFindings of one rule and type are reported in full.
const mostFindings = 3

func (r *Result) find(advice, format string, args ...any) {
	if len(r.Findings) == mostFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{Problem: fmt.Sprintf(format, args...), Advice: advice})
}

// Findings counts the breaches of all rules.
func (r *Report) Findings() (n int) {
	for _, result := range r.Results {
		n += len(result.Findings) + result.More
	}
	return n
}

// Write writes the report for people.
func (r *Report) Write(to io.Writer) error {
	var b strings.Builder
	if r.Plugin != "" {
		fmt.Fprintf(&b, "%s %s\n", r.Plugin, r.Version)
	}
	at := ""
	for _, result := range r.Results {
		if result.Type != at {
			b.WriteString(strings.TrimRight("\n"+result.Type, "\n") + "\n")
			at = result.Type
		}
		b.WriteString(result.String())
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// String returns the result for people, as lines.
func (r Result) String() string {
	var b strings.Builder
	verdict := "ok"
	if len(r.Findings) > 0 {
		verdict = "FAILED"
	}
	fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-6s  %-11s  %s", verdict, r.Rule, r.Tried), " "))
	for i, f := range r.Findings {
		fmt.Fprintf(&b, "          %s\n", f.Problem)
		// What helps against several findings is said once.
		if i+1 == len(r.Findings) || r.Findings[i+1].Advice != f.Advice {
			fmt.Fprintf(&b, "          → %s\n", f.Advice)
		}
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "          and %d more like these\n", r.More)
	}
	return b.String()
}
