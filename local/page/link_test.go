package page_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"parley/functions/hooks"
	"parley/shared/mail/mailtest"
	"parley/shared/mail/smtpmail"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// mails has answers mailed to a server of the test, and returns that with the function.
func (r *rig) mails(t *testing.T) (*mailtest.Server, hooks.Handler) {
	t.Helper()
	settings, err := r.store.Settings(t.Context(), parleytest.Project)
	if err != nil {
		t.Fatal(err)
	}
	settings.Project.ReplyMail = parley.ReplyMail{Enabled: true, Page: r.page.URL + "/"}
	parleytest.Put(t, r.store, settings.Project)
	box := mailtest.New(t)
	server, err := smtpmail.Parse(box.URL())
	if err != nil {
		t.Fatal(err)
	}
	handler := hooks.New(hooks.Config{Store: r.store, Do: http.DefaultClient.Do, Files: r.api.URL, Log: slog.New(slog.DiscardHandler),
		Mail: server.Send, MailFrom: "support@shop.example", Now: r.now})
	return box, handler
}

// signIn makes the tab's visitor one for whom the customer's server vouches.
func (b *tab) signIn(r *rig) {
	b.t.Helper()
	who, err := r.store.Identify(b.t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project},
		Identity: &parley.Identity{External: "u1", Email: "ann@example.com"}})
	if err != nil {
		b.t.Fatal(err)
	}
	text, expires, err := r.keys.Visitor(&parley.Project{ID: parleytest.Project}, who.Visitor, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	token, _ := json.Marshal(object{"token": text, "expiresAt": expires})
	key := "parley:" + parleytest.Settings().PublicKeys[0] + ":token"
	eval[chromedp.Void](b, "localStorage.setItem("+quoted(key)+","+quoted(string(token))+")")
	b.do(chromedp.Reload())
	b.await(`document.querySelector(".composer")`)
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// A visitor who is signed in asks for a person and leaves; the answer comes by
// mail, and its link opens the conversation elsewhere, once.
func TestLinkOfAMail(t *testing.T) {
	r := newRig(t)
	box, handler := r.mails(t)
	b := visit(t, r)
	b.signIn(r)
	b.ask("say A person will look into it")
	b.replies(1)
	token := b.token()
	session := parley.SessionID(r.sessions(t, token)[0])
	b.do(chromedp.Navigate("about:blank"))
	r.api.until("a beacon", func() bool { return len(r.api.beacons) > 0 })

	_, err := r.store.Reply(t.Context(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ada"},
		parley.ReplyRequest{ID: "by-ada", Session: session, Content: "Your parcel is at the depot."})
	if err != nil {
		t.Fatal(err)
	}
	event := hooks.Event{Project: parleytest.Project, Session: session, Follower: parley.FollowerReplyMail}
	if err := handler(t.Context(), event); err != nil || len(box.Mails()) != 0 {
		t.Fatalf("at once: %v, %d mails", err, len(box.Mails()))
	}
	r.ahead.Store(int64(3 * time.Minute))
	if err := handler(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	got := box.Await(1)[0]
	_, rest, ok := strings.Cut(got.Text, r.page.URL+"/#parley=")
	if !ok || got.To[0] != "ann@example.com" || !strings.Contains(got.Text, "Ada:\nYour parcel is at the depot.") {
		t.Fatalf("mailed %+v", got)
	}
	link := r.page.URL + "/#parley=" + strings.Fields(rest)[0]

	// What follows links, as mail scanners do, does not use it up.
	for range 2 {
		res, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	fresh := visit(t, r)
	fresh.do(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	fresh.awaitText("Your parcel is at the depot.")
	if hash := eval[string](fresh, "location.href"); strings.Contains(hash, "parley=") {
		t.Errorf("the address still has the ticket: %s", hash)
	}
	fresh.ask("Thank you, Ada")
	fresh.await(`document.querySelectorAll(".me[data-state='']").length == 2`)
	if said := r.said(t, token, string(session)); said[len(said)-1] != "Thank you, Ada" {
		t.Errorf("said %q", said)
	}
	fresh.shoot(t, "link-opened")
	fresh.do(chromedp.Reload())
	fresh.awaitText("Thank you, Ada")
	fresh.press("New conversation")
	fresh.awaitText("What is Parley?")

	again := visit(t, r)
	again.do(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	again.awaitText("This link has been used already")
	again.shoot(t, "link-used")
	again.press("New conversation")
	again.await(`!document.querySelector(".refusal")`)
	again.ask("say fresh start")
	again.replies(1)
}

// shoot keeps a picture for whoever wants to look, in the folder PARLEY_SHOTS.
func (b *tab) shoot(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("PARLEY_SHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/"+name+".png", picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
