package model

import (
	"slices"
	"strings"
	"testing"
)

// Ids of one form have the order of their texts.
func TestMessageIDOrder(t *testing.T) {
	for _, texts := range [][]string{
		{"\x00", "1", "10", "2", "a", "a\x00", "ab", "b", "purchase-000001", "é"},
		{
			"00000000-0000-4000-8000-000000000001", "0b7e7dee-87fb-4f4b-b5d8-1a1f0a2e34f4", "7fffffff-ffff-4fff-bfff-ffffffffffff",
			"80000000-0000-4000-8000-000000000001", "ffffffff-ffff-7fff-bfff-ffffffffffff",
		},
	} {
		for i, a := range texts {
			for k, b := range texts {
				if got, want := MessageIDOf(a).Compare(MessageIDOf(b)), strings.Compare(a, b); got != want {
					t.Errorf("%q (%d) and %q (%d): %d, want %d", a, i, b, k, got, want)
				}
			}
		}
	}
}

// No two names have one id, whatever their forms.
func TestMessageIDs(t *testing.T) {
	names := [][]string{
		{"a"}, {"a", ""}, {"", "a"}, {"a\x00"}, {"A"}, {""}, {"", ""}, {strings.Repeat("a", 15)}, {strings.Repeat("a", 16)}, {strings.Repeat("a", 17)},
		{"0b7e7dee-87fb-4f4b-b5d8-1a1f0a2e34f4"}, {"0B7E7DEE-87FB-4F4B-B5D8-1A1F0A2E34F4"}, {"0b7e7dee-87fb-4f4b-b5d8-1a1f0a2e34f-"},
		{"-b7e7dee-87fb-4f4b-b5d8-1a1f0a2e34f4"}, {"0b7e7dee-87fb-4f4b-0000-000000000000"}, {"0b7e7dee-87fb-4f4b-8000-00000000000g"},
	}
	var ids []MessageID
	for _, parts := range names {
		id := MessageIDOf(parts...)
		if slices.Contains(ids, id) || id.isReserved() {
			t.Errorf("%q has the id %x", parts, id)
		}
		ids = append(ids, id)
	}
}
