package login

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

//go:embed page
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page/*.html"))

// assets are the files that pages load, with their types.
var assets = map[string]string{"style.css": "text/css; charset=utf-8", "login.js": "text/javascript; charset=utf-8", "password.js": "text/javascript; charset=utf-8"}

// policy lets pages load and ask this server alone, and nobody frame them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what the pages show.
type page struct {
	Title string
	// Next is the path to go to after logging in.
	Next string
	// Name is who has logged in; empty for nobody.
	Name string
	// Passwords tells that people log in by a password, and Provider is what the OpenID provider is called; empty for none.
	Passwords bool
	Provider  string
	StartOIDC string
	// Password's least and most characters.
	Least, Most int
	// Message is what went wrong.
	Message string
}

func (l *Logins) show(w http.ResponseWriter, status int, name string, p page) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// What fails here is the client's connection: TestPages runs each template.
	_ = pages.ExecuteTemplate(w, name, p)
}

// newPage returns what every page shows to someone who wants to go to a path.
func (l *Logins) newPage(title, next string) page {
	p := page{Title: title, Next: localPath(next), Passwords: !l.o.OIDCOnly, Least: minPassword, Most: maxPassword}
	if l.provider != nil {
		p.Provider, p.StartOIDC = l.provider.name, startPath+"?next="+url.QueryEscape(p.Next)
	}
	return p
}

func (l *Logins) loginPage(w http.ResponseWriter, r *http.Request) {
	l.showTo(w, r, "login.html", l.newPage("Log in", r.URL.Query().Get("next")))
}

// passwordPage is for those who come by a link, and for those who are logged in.
func (l *Logins) passwordPage(w http.ResponseWriter, r *http.Request) {
	l.showTo(w, r, "password.html", l.newPage("Set your password", ""))
}

// showTo shows a page to whoever has logged in, or nobody.
func (l *Logins) showTo(w http.ResponseWriter, r *http.Request, name string, p page) {
	principal, err := l.Principal(r.Context(), r)
	if err != nil && model.CodeOf(err) != model.Unauthenticated {
		l.showError(w, r, err)
		return
	}
	if principal != nil {
		p.Name = principal.Name
	}
	l.show(w, http.StatusOK, name, p)
}

// showError answers a browser that has no script to show an error.
func (l *Logins) showError(w http.ResponseWriter, r *http.Request, err error) {
	status, _, message := l.describe(w, r, err)
	p := l.newPage("Could not log in", "")
	p.Message = strings.ToUpper(message[:1]) + message[1:] + "."
	l.show(w, status, "error.html", p)
}

func serveAsset(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", assets[name])
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "page/"+name)
	}
}
