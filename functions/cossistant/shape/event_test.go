package shape_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/functions/cossistant/shape"
	"parley/shared/parley"
	"parley/shared/socket"
)

type object = map[string]any

var session = &parley.Session{ID: "CO1", Project: "shop", Owner: parley.Owner{Visitor: "01OWNER"}, Agent: "ada", State: parley.StateOpen, Created: 1000, Seq: 1}

var speaker = shape.Speaker{File: func(_ parley.ProjectID, a parley.Attachment) string {
	return "https://d111111abcdef8.cloudfront.net/files/" + strings.Repeat("f", 22) + "/" + strings.Repeat("s", 22) + "/" + strings.Repeat("%F0", len(a.Name)) + string(a.ID)
}}

func decode(t *testing.T, frame []byte) (kind string, payload object) {
	t.Helper()
	var e struct {
		Type    string
		Payload object
	}
	if err := json.Unmarshal(frame, &e); err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return e.Type, e.Payload
}

// TestC59LongestFrame: the longest message with as many files as one may have, of the
// longest names, is one frame with all of its text and all of its files.
func TestC59LongestFrame(t *testing.T) {
	long := strings.Repeat("\n", parley.ChannelCossistant.MaxJSONBytes()/2-1) // two bytes each, as JSON
	e := parley.Entry{ID: "m1", Seq: 1, At: 1000, Author: parley.Author{Kind: parley.AuthorHuman, ID: "ann"}, Text: long}
	for range parley.MaxAttachments {
		a := parley.Attachment{ID: "f", Name: strings.Repeat("n", parley.MaxFileNameBytes), Type: "application/octet-stream", Size: 5 << 20,
			Ref: &parley.Ref{Name: strings.Repeat("\"", parley.MaxNameBytes)}}
		e.Parts = append(e.Parts, parley.Part{Attachment: &a}, parley.Part{Source: &parley.Source{URL: "https://docs.example/" + strings.Repeat("u", 300), Title: "Article"}})
	}
	for kind, frame := range map[string][]byte{"timelineItemCreated": speaker.Entries("01ME", session, []parley.Entry{e})[0], "conversationCreated": speaker.Begun("01ME", session, &e)} {
		got, p := decode(t, frame)
		if got != kind || len(frame) > socket.MaxFrame {
			t.Errorf("%s: %s of %d bytes", kind, got, len(frame))
		}
		item, _ := p["item"].(object)
		if c, is := p["conversation"].(object); is {
			item = c["lastTimelineItem"].(object)
		}
		files := 0
		for _, part := range item["parts"].([]any) {
			if part.(object)["type"] == "file" {
				files++
			}
		}
		if item["text"] != long || files != parley.MaxAttachments {
			t.Errorf("%s: %d bytes of text and %d files", kind, len(item["text"].(string)), files)
		}
	}
	e.Text, e.Parts = "short", nil
	if _, p := decode(t, speaker.Entries("01ME", session, []parley.Entry{e})[0]); len(p["item"].(object)["parts"].([]any)) != 1 {
		t.Errorf("a short message lacks its text part: %v", p)
	}
}

// TestC60Sources: sources of an answer are parts that everybody may see, and what is the
// team's is no item at all.
func TestC60Sources(t *testing.T) {
	e := parley.Entry{ID: "m1", Seq: 1, At: 1000, Author: parley.Author{Kind: parley.AuthorAI, ID: "ada"}, Text: "See there.",
		Parts: []parley.Part{{Source: &parley.Source{URL: "https://docs.example/a", Title: "A"}}}}
	_, p := decode(t, speaker.Entries("01ME", session, []parley.Entry{e})[0])
	part := p["item"].(object)["parts"].([]any)[1].(object)
	if part["type"] != "source-url" || part["url"] != "https://docs.example/a" || part["title"] != "A" || p["item"].(object)["visibility"] != "public" {
		t.Errorf("the source is %v", part)
	}
	e.Internal = true
	if got := speaker.Entries("01ME", session, []parley.Entry{e}); len(got) != 0 {
		t.Errorf("a note is told: %s", got)
	}
}

// TestC43Bases: whatever is said names the website, the viewer as the visitor, and who
// does it.
func TestC43Bases(t *testing.T) {
	human, ai := parley.Author{Kind: parley.AuthorHuman, ID: "ann"}, parley.Author{Kind: parley.AuthorAI, ID: "ada"}
	archived := *session
	archived.Archived, archived.State = true, parley.StateResolved
	c := parley.Connection{Ref: socket.Ref{API: shape.SocketAPI, ID: "c1="}, Project: "shop", Caller: parley.Caller{Visitor: "01ME"}}
	for _, test := range []struct {
		frame []byte
		kind  string
		want  object
	}{
		{speaker.Welcome(c, time.UnixMilli(5)), "CONNECTION_ESTABLISHED", object{"connectionId": "c1=", "timestamp": 5.0, "userId": nil}},
		{speaker.Typing("01ME", session, human, true), "conversationTyping", object{"userId": "ann", "aiAgentId": nil, "isTyping": true}},
		{speaker.Typing("01ME", session, ai, false), "conversationTyping", object{"userId": nil, "aiAgentId": "ada", "isTyping": false}},
		{speaker.Seen("01ME", session, human, 1500), "conversationSeen", object{"actorType": "user", "actorId": "ann", "lastSeenAt": "1970-01-01T00:00:01.500Z"}},
		{speaker.Seen("01ME", session, ai, 1500), "conversationSeen", object{"actorType": "ai_agent", "actorId": "ada", "aiAgentId": "ada"}},
		{speaker.State("01ME", session), "conversationUpdated", object{"aiAgentId": nil}},
		{speaker.Over("01ME", session, "r1", parley.StatusDone), "aiAgentProcessingCompleted", object{"status": "success", "workflowRunId": "r1", "audience": "all"}},
		{speaker.Over("01ME", session, "r1", parley.StatusTakenOver), "aiAgentProcessingCompleted", object{"status": "cancelled"}},
		{speaker.Over("01ME", session, "r1", parley.StatusFailed), "aiAgentProcessingCompleted", object{"status": "error"}},
		{speaker.Over("01ME", session, "r1", ""), "aiAgentProcessingCompleted", object{"status": "skipped"}},
	} {
		kind, p := decode(t, test.frame)
		if kind != test.kind || p["organizationId"] != "shop" || p["websiteId"] != "shop" || p["visitorId"] != "01ME" {
			t.Errorf("%s: %v", kind, p)
		}
		for name, want := range test.want {
			if p[name] != want {
				t.Errorf("%s: %s = %v, want %v", kind, name, p[name], want)
			}
		}
	}
	if _, p := decode(t, speaker.State("01ME", &archived)); p["updates"].(object)["status"] != "resolved" || p["updates"].(object)["deletedAt"] == nil {
		t.Errorf("archived: %v", p)
	}
	if got := speaker.Typing("01ME", session, parley.Author{Kind: parley.AuthorHuman}, true); got != nil {
		t.Errorf("nobody types: %s", got)
	}
}
