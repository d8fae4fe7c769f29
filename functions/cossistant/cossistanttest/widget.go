package cossistanttest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"parley/shared/socket"
)

// Widget is what the widget's client keeps of what it is told, and how: everything by
// its id, in stores that answers and events go into alike. It refuses what the client
// would drop or break on. It is safe for concurrent use.
type Widget struct {
	// Website and Visitor are those whose events it takes.
	Website, Visitor string

	mu            sync.Mutex
	conversations map[string]object
	items         map[string]map[string]object // by conversation and id
	typing        map[string]bool              // by conversation and who types
	seen          map[string]string            // by conversation and who has seen it
	events        []Event
	errs          []error
}

// Event is one that the client took, or the frame of an error.
type Event struct {
	Type    string
	Payload object
}

// NewWidget returns a client that has just loaded its page.
func NewWidget(website, visitor string) *Widget {
	return &Widget{Website: website, Visitor: visitor, conversations: map[string]object{}, items: map[string]map[string]object{},
		typing: map[string]bool{}, seen: map[string]string{}}
}

// Faults returns what the client could not take.
func (w *Widget) Faults() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

func (w *Widget) fault(format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf(format, args...))
}

// stored are the fields of an item that are tested against null, and so never absent.
var stored = []string{"id", "conversationId", "organizationId", "visibility", "type", "text", "parts", "userId", "aiAgentId", "visitorId", "createdAt"}

// Take takes one frame of the socket.
func (w *Widget) Take(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(frame) > socket.MaxFrame {
		w.fault("a frame of %d bytes", len(frame))
	}
	if string(frame) == "pong" {
		w.events = append(w.events, Event{"pong", nil})
		return
	}
	var e struct {
		Type    string
		Payload object
		Error   string
		Message string
	}
	if err := json.Unmarshal(frame, &e); err != nil {
		w.fault("frame %.300s: %w", frame, err)
		return
	}
	if e.Error != "" && e.Message != "" {
		w.events = append(w.events, Event{"error", object{"error": e.Error, "message": e.Message}})
		return
	}
	for _, m := range times.FindAllSubmatch(frame, -1) {
		if !timeForm.Match(m[1]) {
			w.fault("%s has the time %q", e.Type, m[1])
		}
	}
	p := e.Payload
	if p["organizationId"] != w.Website || p["websiteId"] != w.Website || p["visitorId"] != w.Visitor {
		w.fault("the client drops %.300s", frame)
		return
	}
	if _, there := p["userId"]; !there {
		w.fault("%s does not say userId", e.Type)
	}
	w.events = append(w.events, Event{e.Type, p})
	w.apply(e.Type, p)
}

func (w *Widget) apply(kind string, p object) {
	id, _ := p["conversationId"].(string)
	switch kind {
	case "CONNECTION_ESTABLISHED":
		if p["connectionId"] == "" {
			w.fault("%s without connectionId", kind)
		}
	case "conversationCreated":
		c, _ := p["conversation"].(object)
		if c["lastTimelineItem"] == nil || c["visitorId"] != w.Visitor || c["id"] != id {
			w.fault("%s: %v", kind, p)
			return
		}
		w.conversations[id] = c
	case "conversationUpdated":
		updates, _ := p["updates"].(object)
		if updates["aiPausedUntil"] != nil {
			w.fault("a visitor is told of the AI's pause: %v", p)
		}
		if c := w.conversations[id]; c != nil {
			c = maps.Clone(c)
			maps.Copy(c, updates)
			w.conversations[id] = c
		}
	case "timelineItemCreated", "timelineItemUpdated":
		item, _ := p["item"].(object)
		w.item(id, item)
		if c := w.conversations[id]; c != nil {
			c = maps.Clone(c)
			c["lastTimelineItem"], c["updatedAt"] = item, item["createdAt"]
			w.conversations[id] = c
		}
	case "conversationTyping":
		if who := cmp.Or(text(p["userId"]), text(p["aiAgentId"])); who != "" {
			w.typing[id+" "+who] = p["isTyping"] == true
		}
	case "conversationSeen":
		if p["actorType"] != "visitor" {
			key := id + " " + text(p["actorId"])
			w.seen[key] = max(w.seen[key], text(p["lastSeenAt"]))
		}
	case "aiAgentProcessingCompleted":
		if p["audience"] == "dashboard" {
			w.fault("a visitor is told what is for the dashboard: %v", p)
		}
	default:
		w.fault("the client knows no %s", kind)
	}
}

func text(v any) string { s, _ := v.(string); return s }

// item puts an item in its timeline, in place of the one with its id.
func (w *Widget) item(conversation string, item object) {
	for _, name := range stored {
		if _, there := item[name]; !there {
			w.fault("an item without %s: %v", name, item)
			return
		}
	}
	from := 0
	for _, name := range []string{"userId", "aiAgentId", "visitorId"} {
		if item[name] != nil {
			from++
		}
	}
	if v := item["visitorId"]; from > 1 || v != nil && v != w.Visitor || item["visibility"] != "public" || item["type"] == "tool" || item["conversationId"] != conversation {
		w.fault("the client drops or mistakes the item %v", item)
		return
	}
	if item["type"] == "message" {
		for who := range w.typing {
			if strings.HasPrefix(who, conversation+" ") {
				delete(w.typing, who)
			}
		}
	}
	if w.items[conversation] == nil {
		w.items[conversation] = map[string]object{}
	}
	w.items[conversation][text(item["id"])] = item
}

// Load takes what the page's calls were answered: a list, a conversation with its first
// items, a page of a timeline, or an item.
func (w *Widget) Load(answer object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, _ := answer["conversations"].([]any)
	if c := answer["conversation"]; c != nil {
		list = append(list, c)
	}
	for _, c := range list {
		w.conversations[text(c.(object)["id"])] = c.(object)
	}
	var items []any
	for _, name := range []string{"items", "initialTimelineItems"} {
		more, _ := answer[name].([]any)
		items = append(items, more...)
	}
	if i := answer["item"]; i != nil {
		items = append(items, i)
	}
	for _, i := range items {
		w.item(text(i.(object)["conversationId"]), i.(object))
	}
}

// Conversations are what the list shows: id, status, and whether it is hidden.
func (w *Widget) Conversations() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, c := range w.conversations {
		if c["deletedAt"] == nil {
			list = append(list, id+" "+text(c["status"]))
		}
	}
	slices.Sort(list)
	return list
}

// Timeline are the ids of a conversation's items in the order of their times.
func (w *Widget) Timeline(conversation string) (ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.SortedFunc(maps.Values(w.items[conversation]), func(a, b object) int {
		return cmp.Compare(text(a["createdAt"]), text(b["createdAt"]))
	})
	for _, i := range all {
		ids = append(ids, text(i["id"]))
	}
	return ids
}

// Item returns an item of a conversation as it stands, nil if there is none.
func (w *Widget) Item(conversation, id string) object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items[conversation][id]
}

// Unread is how many open conversations end with something that the visitor has not
// seen and did not write.
func (w *Widget) Unread() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conversations {
		last, _ := c["lastTimelineItem"].(object)
		if c["status"] == "open" && last != nil && last["visitorId"] == nil && text(last["createdAt"]) > text(c["visitorLastSeenAt"]) {
			n++
		}
	}
	return n
}

// Types reports whether somebody is shown to type in a conversation.
func (w *Widget) Types(conversation, who string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.typing[conversation+" "+who]
}

// SeenAt is when somebody has seen a conversation last, "" for never.
func (w *Widget) SeenAt(conversation, who string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[conversation+" "+who]
}

// Events returns what the client took so far, of some types or of all.
func (w *Widget) Events(types ...string) (some []Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if len(types) == 0 || slices.Contains(types, e.Type) {
			some = append(some, e)
		}
	}
	return some
}
