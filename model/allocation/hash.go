package allocation

import (
	"strconv"
	"unicode/utf16"
)

// fnv1a is the 32-bit FNV-1a of a text's UTF-16 code units, which is what JavaScript sees of it. Of ASCII that is FNV-1a of
// its bytes.
func fnv1a(text string) uint32 {
	h := uint32(0x811c9dc5)
	add := func(unit rune) { h = (h ^ uint32(unit)) * 0x01000193 }
	for _, r := range text {
		if r <= 0xffff {
			add(r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		add(high)
		add(low)
	}
	return h
}

// Hash is where a visitor stands under a seed: 0, 0.0001, … 0.9999, each as likely as the others. It is version 2 of the hash
// of GrowthBook's SDKs.
func Hash(seed, id string) float64 {
	once := fnv1a(seed + id)
	return float64(fnv1a(strconv.FormatUint(uint64(once), 10))%10_000) / 10_000
}

// hash1 is version 1, in steps of 1/1,000. Layers have it still, as GrowthBook's namespaces do.
func hash1(seed, id string) float64 {
	return float64(fnv1a(id+seed)%1000) / 1000
}
