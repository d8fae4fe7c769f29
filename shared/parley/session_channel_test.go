package parley_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"parley/shared/parley"
)

// TestLongestOfAChannel: what people and agents write is as long as the channel's widget
// shows.
func TestLongestOfAChannel(t *testing.T) {
	for channel, want := range map[parley.Channel][3]int{
		parley.ChannelNative:  {parley.MaxMessageBytes, 128 << 10, 0},
		parley.ChannelHissuno: {4096, 128 << 10, 0},
		parley.ChannelChatHub: {parley.ChannelChatHub.MaxMessageBytes(), 20_000, 30_000},
	} {
		if got := [3]int{channel.MaxHumanBytes(), channel.MaxReplyBytes(), channel.MaxJSONBytes()}; got != want {
			t.Errorf("%s: the longest of a person's, of a reply and in JSON are %v, want %v", channel, got, want)
		}
	}
	onBolt(t, func(s scene) {
		r := say("m1", "")
		r.Channel = parley.ChannelHissuno
		id := s.send(r).Session.ID
		for n, code := range map[int]string{4096: "", 4097: "too_large"} {
			_, err := s.store.Reply(context.Background(), operatorNamed("ola"), ola.Author(), parley.ReplyRequest{ID: parley.EntryID(fmt.Sprint("r", n)), Session: id, Content: strings.Repeat("x", n)})
			s.want("a reply", err, code)
		}
		for n, code := range map[int]string{14_000: "", 14_001: "too_large"} { // from wherever a visitor writes to it
			_, err := s.store.Send(context.Background(), s.visitor, parley.SendRequest{ID: parley.EntryID(fmt.Sprint("v", n)), Session: s.openedIn(parley.ChannelCossistant), Content: strings.Repeat("x", n)})
			s.want("a visitor's message", err, code)
		}
	})
}

// openedIn is a new session of the visitor in a channel.
func (s scene) openedIn(c parley.Channel) parley.SessionID {
	s.Helper()
	r := say(parley.EntryID(rand.Text()), "")
	r.Channel = c
	return s.send(r).Session.ID
}
