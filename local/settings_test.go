package main

import (
	"strings"
	"testing"
)

// TestMailSettings: what is wrong with the settings of mail is said by its
// variable, and a password is not.
func TestMailSettings(t *testing.T) {
	for _, test := range []struct {
		url, from, want string // want: the sender, or how the error begins
	}{
		{"", "", ""},
		{"", "nobody", ""},
		{"smtp://localhost:1025", "", "parley@localhost"},
		{"smtps://user:verysecret@mail.example", "support@shop.example", "support@shop.example"},
		{"verysecret:25", "", "SMTP_URL: "},
		{"smtp://localhost", "nobody", "MAIL_FROM=nobody: "},
	} {
		c, err := settings(func(name string) string { return map[string]string{"SMTP_URL": test.url, "MAIL_FROM": test.from}[name] })
		got := c.MailFrom
		if err != nil {
			got = err.Error()
		}
		if err == nil && (got != test.want || (c.Mail != nil) != (test.want != "")) ||
			err != nil && (test.want == "" || !strings.HasPrefix(got, test.want) || strings.Contains(got, "verysecret")) {
			t.Errorf("%q, %q: %q, %v, want %q", test.url, test.from, got, c.Mail != nil, test.want)
		}
	}
	c, err := settings(func(name string) string { return map[string]string{"NOTIFY_SECRET_TEAM_1": "there"}[name] })
	if err != nil || c.NotifySecret("team-1") != "there" || c.NotifySecret("team") != "" {
		t.Errorf("secrets: %v", err)
	}
}
