package bundle

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"parley/shared/mail/mailtest"
	"parley/shared/mail/smtpmail"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// TestNotify: on a laptop who waits is told to an SMTP server and to a server in
// Slack's place, each with a link into the console.
func TestNotify(t *testing.T) {
	posts := make(chan string, 10)
	slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posts <- string(body)
	}))
	t.Cleanup(slack.Close)
	mails := mailtest.New(t)
	smtp, err := smtpmail.Parse(mails.URL())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), Config{Folder: filepath.Join(t.TempDir(), "data"), Port: 0, Log: slog.New(slog.DiscardHandler),
		Mail: smtp.Send, MailFrom: "parley@shop.example", NotifySecret: func(name string) string { return map[string]string{"team": slack.URL}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(t.Context()) }()
	keys, err := token.New(token.Config{Masters: [][]byte{b.folder.secret}})
	if err != nil {
		t.Fatal(err)
	}
	store := parleytest.Store(t, parley.Config{Table: b.folder.table, Derive: keys.Derive})
	settings, err := store.Settings(t.Context(), DemoProject)
	if err != nil {
		t.Fatal(err)
	}
	settings.Project.Notify = parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}}
	if err := store.PutProject(t.Context(), settings.Project); err != nil {
		t.Fatal(err)
	}
	c := parleytest.VisitorOf(t, store, DemoProject)
	sent := parleytest.Send(t, store, c, parleytest.Say("m", "", "A person, please"))
	if _, err := store.EndRun(t.Context(), sent.Claim.Ref, nil, parley.End{Next: sent.Claim.Next, Of: sent.Claim.First.Of,
		Status: parley.StatusDone, Text: "ok", Unflushed: "ok", Handover: true}); err != nil {
		t.Fatal(err)
	}
	link := b.Page + "/console#/session/" + string(sent.Session.ID)
	got := mails.Await(1)[0]
	if !strings.Contains(got.Text, link) || !strings.Contains(got.Text, "A person, please") || strings.Join(got.To, " ") != "ola@shop.example" {
		t.Errorf("the mail to %q is %q", got.To, got.Text)
	}
	if post := <-posts; !strings.Contains(post, link) {
		t.Errorf("Slack is told %s", post)
	}
}
