package bundletest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/awstest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// desk is where a project's people are told: Slack's webhook, and SES.
type desk struct {
	mu           sync.Mutex
	slack, mails []string // bodies
}

func (d *desk) take(into *[]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the function was killed
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		*into = append(*into, string(body))
		io.WriteString(w, "{}")
	}
}

func (d *desk) counts() (slack, mails int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.slack), len(d.mails)
}

// testNotify: a wait goes from the table's stream through the feed to Slack, whose
// address is a parameter of SSM, and to SES; once, however often it is streamed.
func testNotify(t *testing.T, s *stack) {
	d := new(desk)
	slack, slackAddress := listen(t)
	run(slack, d.take(&d.slack))
	mails, mailAddress := listen(t)
	run(mails, awstest.Signed(t, "ses", s.keys, d.take(&d.mails)))
	v := s.visitor(t)
	s.vault["/parley/parley/notify/"+string(v.project)+"/team"] = slackAddress + "/services/verysecret"
	s.functions["hooks"].Kill() // what it is told of where SES is, it reads when it starts
	hooks := s.start(t, "hooks", func(env map[string]string) {
		env["PARLEY_PRIVATE_HOSTS"], env["PARLEY_MAIL_FROM"], env["AWS_ENDPOINT_URL_SESV2"] = "allow", "parley@shop.example", mailAddress
	})
	settings, err := s.store.Settings(t.Context(), v.project)
	if err != nil {
		t.Fatal(err)
	}
	settings.Project.Notify = parley.NotifySettings{Slack: "team", Email: []string{"ola@shop.example"}, TimeZone: "Asia/Kolkata"}
	if err := s.store.PutProject(t.Context(), settings.Project); err != nil {
		t.Fatal(err)
	}
	c := parleytest.VisitorOf(t, s.store, v.project)
	sent := parleytest.Send(t, s.store, c, parleytest.Say("w1", "", "A person, please"))
	if _, err := s.store.EndRun(t.Context(), sent.Claim.Ref, nil, parley.End{Next: sent.Claim.Next, Of: sent.Claim.First.Of,
		Status: parley.StatusDone, Text: "ok", Unflushed: "ok", Handover: true}); err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(object{"project": v.project, "session": sent.Session.ID, "follower": "notify"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := hooks.Invoke(t.Context(), event); err != nil {
			t.Fatalf("hooks = %s, %v: %s", out, err, hooks.Log())
		}
	}
	if a, b := d.counts(); a != 1 || b != 1 {
		t.Fatalf("told %d times by Slack and %d by mail: %s", a, b, hooks.Log())
	}
	link := strings.TrimSuffix(s.addresses["operator"], "/") + "/console#/session/" + string(sent.Session.ID)
	var mail struct {
		FromEmailAddress string
		Content          struct{ Raw struct{ Data []byte } }
	}
	if err := json.Unmarshal([]byte(d.mails[0]), &mail); err != nil || mail.FromEmailAddress != "parley@shop.example" ||
		!strings.Contains(strings.ReplaceAll(string(mail.Content.Raw.Data), "=\r\n", ""), link) {
		t.Errorf("SES is told %s, %v", mail.Content.Raw.Data, err)
	}
	var shown struct{ Text string }
	if err := json.Unmarshal([]byte(d.slack[0]), &shown); err != nil || !strings.Contains(shown.Text, link) ||
		!strings.Contains(shown.Text, "A person, please") || !strings.Contains(shown.Text, " IST\n") {
		t.Errorf("Slack is told %q, %v; want the link %s", shown.Text, err, link)
	}
	if strings.Contains(hooks.Log(), "verysecret") || strings.Contains(hooks.Log(), "A person") {
		t.Errorf("the log tells too much: %s", hooks.Log())
	}
	testNotifyRings(t, s, v.project, d)
}

// testNotifyRings: the feed calls the function for a wait.
func testNotifyRings(t *testing.T, s *stack, p parley.ProjectID, d *desk) {
	t.Helper()
	c := parleytest.VisitorOf(t, s.store, p)
	s.functions["feed"].Kill() // with the settings that it has read
	sent := parleytest.Send(t, s.store, c, parleytest.Say("w2", "", "Me too"))
	if _, err := s.store.EndRun(t.Context(), sent.Claim.Ref, nil, parley.End{Next: sent.Claim.Next, Of: sent.Claim.First.Of,
		Status: parley.StatusDone, Text: "ok", Unflushed: "ok", Handover: true}); err != nil {
		t.Fatal(err)
	}
	s.streams(t, p)
	// Within the minute of the first it is left to the next message.
	await(t, patience, 10*time.Millisecond, "the second wait to be queued", func() bool {
		for k, item := range s.dump(t) {
			if strings.HasPrefix(k.PK, string(p)+"/notice/slack") && strings.Contains(item.String("data"), string(sent.Session.ID)) {
				return true
			}
		}
		return false
	})
	if a, _ := d.counts(); a != 1 {
		t.Errorf("Slack was told %d times within a minute", a)
	}
}
