package model_test

import (
	"context"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestScopes(t *testing.T) {
	for scope, allowed := range map[model.Scope]string{
		model.WriteScope: "WRITE", model.ReadScope: "READ", model.EditScope: "READ EDIT", model.AdminScope: "WRITE READ EDIT ADMIN", "": "", "OWNER": "",
	} {
		var got []string
		for _, needed := range append(model.Scopes, "", "OWNER") {
			if scope.Includes(needed) && needed != "" && needed != "OWNER" {
				got = append(got, string(needed))
			}
		}
		if strings.Join(got, " ") != allowed {
			t.Errorf("%s allows %v, want %s", scope, got, allowed)
		}
	}
}

func TestPrincipal(t *testing.T) {
	p := &model.Principal{Grants: []model.Grant{{Site: 1, Scope: model.EditScope}, {Site: 2, Scope: model.ReadScope}, {Site: 2, Scope: model.WriteScope}}}
	for _, test := range []struct {
		scope model.Scope
		site  int64
		may   bool
	}{
		{model.EditScope, 1, true}, {model.ReadScope, 1, true}, {model.WriteScope, 1, false}, {model.AdminScope, 1, false},
		{model.EditScope, 2, false}, {model.ReadScope, 2, true}, {model.WriteScope, 2, true},
		{model.ReadScope, 3, false}, {model.ReadScope, model.AllSites, false}, {"", 1, false},
	} {
		if p.May(test.scope, test.site) != test.may {
			t.Errorf("%s on site %d: %t", test.scope, test.site, !test.may)
		}
	}
	if sites, all := p.Sites(model.ReadScope); all || len(sites) != 2 {
		t.Errorf("%v, %t", sites, all)
	}
	if p.MaySomewhere(model.AdminScope) || !p.MaySomewhere(model.WriteScope) {
		t.Error("somewhere")
	}
	if _, all := model.Everyone().Sites(model.AdminScope); !all || !model.Everyone().May(model.WriteScope, 9) {
		t.Error("everyone")
	}
	var none *model.Principal
	if sites, all := none.Sites(model.ReadScope); none.May(model.ReadScope, 1) || none.MaySomewhere(model.ReadScope) || all || sites != nil {
		t.Error("no principal may do something")
	}
	if actor := model.ActorOf(context.Background()); actor.MaySomewhere(model.ReadScope) || actor.Kind != model.AnonymousPrincipal {
		t.Errorf("%+v", actor)
	}
}

func TestSecrets(t *testing.T) {
	key := &model.Key{Scope: model.WriteScope}
	secret := key.NewSecret()
	if !strings.HasPrefix(secret, "gg_w_") || !strings.HasPrefix(secret, key.Prefix) || key.Hash != model.HashOf(secret) || !model.IsSecret(secret) {
		t.Errorf("%s of %+v", secret, key)
	}
	for i := range secret {
		changed := secret[:i] + string(secret[i]^1) + secret[i+1:]
		if model.IsSecret(changed) {
			t.Errorf("%s is taken for a secret", changed)
		}
	}
	for _, text := range []string{"", secret[1:], secret[:len(secret)-1], secret + "A", "w_" + secret} {
		if model.IsSecret(text) {
			t.Errorf("%q is taken for a secret", text)
		}
	}
}

func TestWebOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example": "https://shop.example", " HTTPS://Shop.Example:443/ ": "https://shop.example", "http://shop.example:80": "http://shop.example",
		"http://localhost:3000": "http://localhost:3000", "http://[::1]:8080": "http://[::1]:8080", "https://bücher.example": "https://xn--bcher-kva.example",
		"https://shop.example:8443": "https://shop.example:8443",
		"*":                         "", "https://*.example": "", "shop.example": "", "https://": "", "https://shop.example/a": "", "https://shop.example?a": "", "https://u@shop.example": "",
		"ftp://shop.example": "", "null": "", "": "", "https://shop.example#a": "",
	} {
		if got, err := model.WebOrigin(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzWebOrigin(f *testing.F) {
	f.Add("https://shop.example:443/")
	f.Add("http://[::1]:80")
	f.Fuzz(func(t *testing.T, text string) {
		origin, err := model.WebOrigin(text)
		if err != nil {
			return
		}
		if again, err := model.WebOrigin(origin); again != origin || err != nil {
			t.Errorf("%q is %q, and that is %q, %v", text, origin, again, err)
		}
	})
}
