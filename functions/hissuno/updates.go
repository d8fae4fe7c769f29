package hissuno

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/sse"
)

// updateMessage is a message of an operator or of Parley itself.
type updateMessage struct {
	ID         parley.EntryID `json:"id"`
	Role       string         `json:"role"`
	Content    string         `json:"content"`
	CreatedAt  api.Time       `json:"createdAt"`
	SenderType string         `json:"senderType"`
	SenderName string         `json:"senderName,omitempty"`
}

// updates tells what the page is to know besides replies. It is answered for
// every session, known or not, open or closed: the widget takes anything else
// for a reason to ask again, and again.
func (f function) updates(w http.ResponseWriter, r *http.Request) error {
	p, err := f.queried(r)
	if err != nil {
		return err
	}
	after, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 62)
	u := &connection{updates: updates{page: p}, r: r}
	told, err := u.begin(r.Context(), parley.Seq(after), err == nil)
	if err != nil {
		return err
	}
	u.out = sse.Start(w)
	err = u.out.Retry(u.retry())
	if err == nil {
		err = u.connected(len(told) == 0)
	}
	if err == nil {
		err = u.tell(told)
	}
	if err == nil && f.Hold > 0 {
		err = api.Hold{For: f.Hold, Poll: f.Poll, Heartbeat: f.Heartbeat, Now: f.Now, Look: u.look,
			Seat: f.API.Store.SeatingOf(p.caller)}.Wait(r.Context(), u.out)
	}
	if err == nil {
		err = u.out.Retry(u.retry())
	}
	if err == nil && !u.gave() {
		api.Routine(r)
	}
	f.API.Cut(r, p.project.ID, err)
	return nil
}

// connection is one on which a page asks for its updates.
type connection struct {
	updates
	r      *http.Request
	out    *sse.Writer
	wrote  bool      // since it last looked
	gaveAt time.Time // when the first update was given; zero while none was
}

// connected is the first event. Its id is what the page goes on from if the
// connection is cut.
func (u *connection) connected(empty bool) error {
	at := u.from
	if empty {
		at = u.upto
	}
	return u.event(at, event{Type: "connected"})
}

func (u *connection) event(at parley.Seq, e event) error {
	u.wrote = true
	e.Timestamp = api.TimeOf(u.Now())
	id := ""
	if u.session != nil {
		id = strconv.FormatInt(int64(at), 10)
	}
	return u.out.Event(sse.Event{ID: id, Data: api.Encode(e)})
}

func (u *connection) tell(told []parley.Entry) error {
	if u.gaveAt.IsZero() && u.gave() {
		u.gaveAt = u.Now()
	}
	for _, e := range told {
		events := u.eventsOf(e)
		for n, out := range events {
			at := e.Seq
			if n < len(events)-1 {
				at-- // a page that is cut off here is given all of it again
			}
			if err := u.event(at, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// eventsOf returns an entry as the widget knows it: none where it has nothing to
// show, and several where it has more than the widget takes at once.
func (u *connection) eventsOf(e parley.Entry) []event {
	switch {
	case e.IsMessage():
		var events []event
		for n, text := range u.pieces(e) {
			m := updateMessage{ID: e.ID, Role: "assistant", Content: text, CreatedAt: api.Time(e.At),
				SenderType: senders[e.Author.Kind], SenderName: e.Author.Name}
			if n > 0 {
				m.ID += parley.EntryID("/" + strconv.Itoa(n))
			}
			events = append(events, event{Type: "message", Message: m})
		}
		return events
	case e.Event == parley.EventHandedOver, e.Event == parley.EventTakenOver:
		return []event{{Type: "status-change", Status: "human_takeover"}}
	}
	return []event{{Type: "status-change", Status: "closed"}}
}

// senders are the widget's words for who wrote a message.
var senders = map[parley.AuthorKind]string{
	parley.AuthorHuman: "human_agent", parley.AuthorSystem: "system", parley.AuthorAI: "ai",
}

// pieces returns what the widget shows of a message: of a reply all that it shows of
// one, of a person's as much as it takes at once.
func (u *connection) pieces(e parley.Entry) (all []string) {
	longest := parley.ChannelHissuno.MaxHumanBytes()
	text := u.content(u.r, e)
	if e.Run == "" && len(text) > longest {
		text = cut(text, longest-len("…")) + "…"
	}
	for text != "" {
		piece := cut(text, longest)
		all, text = append(all, piece), text[len(piece):]
	}
	return all
}

// content is what is shown of a message that is not streamed: its text with the
// addresses of what is attached, as the widget shows text only.
func (p *page) content(r *http.Request, e parley.Entry) string {
	text := strings.TrimSpace(e.Written(func(a parley.Attachment) string { return p.API.FileURL(r, p.project.ID, a.ID, a.Name) }))
	if e.Status == parley.StatusIncomplete {
		text += p.addition(parley.TextApology)
	}
	if len(text) > MaxReplyBytes {
		end := p.addition(parley.TextCut)
		text = cut(text, MaxReplyBytes-len(end)) + end
	}
	return text
}

// look tells what has come. A page that has received something closes the stream;
// one that does not had it already, and says so when it asks again after its end.
func (u *connection) look(ctx context.Context) (wrote, enough bool, err error) {
	if !u.gaveAt.IsZero() && u.Now().Sub(u.gaveAt) >= unread {
		return false, true, nil
	}
	told, err := u.next(ctx)
	if errors.Is(err, errGone) {
		return false, true, nil
	}
	if err == nil {
		u.wrote = false
		err = u.tell(told)
	}
	return err == nil && u.wrote, false, err
}

// unread is how long a page that received something takes to close the stream,
// at most; retryHeld how soon one that did not close it asks again. Our choices.
const unread, retryHeld = time.Second, 500 * time.Millisecond

// retry is how soon the page is to ask again: as in the native updates, but one
// whose session is closed asks at most four times a minute.
func (u *connection) retry() time.Duration {
	s := u.session
	switch {
	case s == nil:
		return api.RetryCalm // the message that begins it may be under way
	case s.State != parley.StateOpen:
		return api.RetryIdle
	case u.Hold > 0 && u.gave():
		return retryHeld
	case s.Holder != parley.HolderAI:
		return api.RetryLively
	}
	return api.Retry(u.Now().Sub(time.UnixMilli(s.At)))
}
