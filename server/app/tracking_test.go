package app

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// The snippet sends nothing so late that the server may not know any more whether it has it.
func TestSnippetGivesUpBeforeIDsArePruned(t *testing.T) {
	script, err := os.ReadFile("../sdk/tracker.js")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`const oldest = (\d+) \* 86_400_000\n`).FindSubmatch(script)
	if found == nil {
		t.Fatal("tracker.js has no oldest in days")
	}
	if days, err := strconv.Atoi(string(found[1])); err != nil || days >= messagesKept {
		t.Errorf("the snippet sends what is %d days old, and ids are kept for %d: %v", days, messagesKept, err)
	}
}
