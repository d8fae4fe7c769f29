package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"parley/shared/parley"
)

// slack posts a notice to an incoming webhook of Slack's. An error is a sentence
// for operators; the address is a secret, and in none of them.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
func (t *teller) slack(ctx context.Context, p *parley.Project, n notice) (final bool, err error) {
	body, err := json.Marshal(words{p, t.Console}.slackMessage(n))
	if err != nil {
		return true, fmt.Errorf("encode notice: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, AttemptTime)
	defer cancel()
	address, err := t.Secret(ctx, t.Project, p.Notify.Slack)
	if err != nil {
		return false, fmt.Errorf("the address of Slack's webhook: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSpace(address), bytes.NewReader(body))
	if err != nil { // whose text has the address in it
		return true, errors.New("the address of Slack's webhook is malformed")
	}
	r.Header.Set("User-Agent", "Parley-Notices/1")
	status, final, err := t.ask(r)
	return final || slackFinal(status), err
}

// slackFinal: what Slack answers 4xx it will answer so again (a webhook that was
// removed, a channel that was archived), but for 408 and 429, which ask for patience.
func slackFinal(status int) bool {
	return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// slackText is a text of Slack's: "plain_text" is shown as it is, so that nothing
// a stranger wrote is formatted, linked, or calls a channel together.
type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"` // of plain_text: whether ":smile:" is a picture
}

type slackBlock struct {
	Type string    `json:"type"`
	Text slackText `json:"text"`
}

type slackMessage struct {
	// Text is for notifications and for clients that show no blocks.
	Text        string       `json:"text"`
	Blocks      []slackBlock `json:"blocks"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

func plain(text string) slackBlock {
	no := false
	return slackBlock{"section", slackText{Type: "plain_text", Text: text, Emoji: &no}}
}

// slackEscape is all that Slack asks for in a text that it formats.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackMessage is a notice as Slack shows it. A link's block has nothing of a
// stranger's in it.
func (w words) slackMessage(n notice) slackMessage {
	m := slackMessage{Text: slackEscape.Replace(w.text(n)), Blocks: []slackBlock{plain(w.headline(n))}}
	shown, more := n.shown()
	for _, wait := range shown {
		var lines []string
		for _, l := range w.lines(wait) {
			lines = append(lines, l.label+": "+l.text)
		}
		m.Blocks = append(m.Blocks, plain(strings.Join(lines, "\n")))
		if link := w.link(wait); link != "" {
			label := strings.ReplaceAll(slackEscape.Replace(w.say(parley.TextNotifyOpen)), "|", " ")
			m.Blocks = append(m.Blocks, slackBlock{"section", slackText{Type: "mrkdwn", Text: "<" + link + "|" + label + ">"}})
		}
	}
	if more > 0 {
		m.Blocks = append(m.Blocks, plain(w.more(more)))
	}
	return m
}
