package model_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestIsOwnHost(t *testing.T) {
	site := &model.Site{
		Name: "Shop", Timezone: "UTC",
		Domains:          []string{"shop.example", "www.store.example", "xn--caf-dma.example"},
		IgnoredReferrers: []string{"pay.example", "Checkout.bank.example."},
	}
	if err := site.Validate(); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"":                         false,
		"shop.example":             true,
		"www.shop.example":         true,
		"blog.shop.example":        false,
		"www.www.shop.example":     false,
		"myshop.example":           false,
		"example":                  false,
		"store.example":            true,
		"www.store.example":        true,
		"café.example":             true,
		"www.café.example":         true,
		"pay.example":              true,
		"www.pay.example":          true,
		"a.b.pay.example":          true,
		"repay.example":            false,
		"bank.example":             false,
		"checkout.bank.example":    true,
		"eu.checkout.bank.example": true,
		"google.com":               false,
	} {
		if got := site.IsOwnHost(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

func TestHostsOfSite(t *testing.T) {
	many := make([]string, model.MaxDomains+1)
	for i := range many {
		many[i] = fmt.Sprintf("pay%d.example", i)
	}
	for _, test := range []struct {
		hosts []string
		says  string
	}{
		{[]string{"pay.example", "café.example", "a_b.example", "localhost", "10.0.0.1", "भारत.example"}, ""},
		{many[1:], ""},
		{many, "are too many; the maximum is 100"},
		{[]string{""}, "is not a host name"},
		{[]string{"https://pay.example"}, "is not a host name"},
		{[]string{"pay.example:443"}, "is not a host name"},
		{[]string{"pay.example/x"}, "is not a host name"},
		{[]string{"*.pay.example"}, "is not a host name"},
		{[]string{"-pay.example"}, "is not a host name"},
		{[]string{strings.Repeat("a", 64) + ".example"}, "is not a host name"},
		{[]string{strings.Repeat("é", 63) + ".example"}, "is not a host name"},
		{[]string{strings.Repeat("a.", 130) + "example"}, "is not a host name"},
	} {
		for field, site := range map[string]*model.Site{
			"domains":          {Name: "Shop", Timezone: "UTC", Domains: test.hosts},
			"ignoredReferrers": {Name: "Shop", Timezone: "UTC", IgnoredReferrers: test.hosts},
		} {
			err := site.Validate()
			if test.says == "" {
				if err != nil {
					t.Errorf("%.50q: %v", test.hosts, err)
				}
				continue
			}
			if e, ok := err.(*model.Error); !ok || e.Field != field || !strings.Contains(e.Message, test.says) {
				t.Errorf("%.50q: error %v, want %s: …%s…", test.hosts, err, field, test.says)
			}
		}
	}
}
