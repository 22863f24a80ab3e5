package arrows_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	journeyStep = regexp.MustCompile(`^\d+\. `)
	journeyFile = regexp.MustCompile("`([a-z_/]+\\.(?:go|s))`")
)

// The journeys of docs/architecture.md name files that exist, and in no list does a package come twice: calls go one way.
func TestJourneys(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, behind, found := strings.Cut(string(text), "\n## Journeys\n")
	if !found {
		t.Fatal("docs/architecture.md has no journeys")
	}
	journeys, _, _ := strings.Cut(behind, "\n## ")
	steps, seen, folder := 0, map[string]bool{}, ""
	for line := range strings.Lines(journeys) {
		isStep, isMore := journeyStep.MatchString(line), strings.HasPrefix(line, "   ")
		if !isStep && !isMore {
			if strings.TrimSpace(line) != "" {
				seen = map[string]bool{} // a new list
			}
			continue
		}
		for i, name := range journeyFile.FindAllStringSubmatch(line, -1) {
			file := name[1]
			if dir := path.Dir(file); dir != "." {
				if !isStep || i > 0 {
					t.Errorf("%s: a step is in one package", file)
				}
				if folder = dir; seen[folder] {
					t.Errorf("%s comes twice in one list", folder)
				}
				seen[folder] = true
				steps++
			} else {
				file = folder + "/" + file
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
				t.Errorf("docs/architecture.md names %s: %v", file, err)
			}
		}
	}
	if steps < 20 {
		t.Errorf("only %d steps were found", steps)
	}
}
