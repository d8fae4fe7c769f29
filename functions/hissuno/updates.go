package hissuno

import (
	"context"
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
	caller, project, id, err := f.queried(r)
	if err != nil {
		return err
	}
	last := r.Header.Get("Last-Event-ID")
	after, err := strconv.ParseUint(last, 10, 62)
	u := &connection{updates: updates{page: f.pageOf(caller, id)}, r: r, project: project.ID}
	told, err := u.begin(r.Context(), parley.Seq(after), last != "" && err == nil)
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
			Seat: f.API.Store.SeatingOf(caller)}.Wait(r.Context(), u.out)
	}
	if err == nil {
		err = u.out.Retry(u.retry())
	}
	if err == nil && !u.gave() {
		api.Routine(r)
	}
	f.API.Cut(r, project.ID, err)
	return nil
}

// connection is one on which a page asks for its updates.
type connection struct {
	updates
	r       *http.Request
	project parley.ProjectID
	out     *sse.Writer
	wrote   bool      // since it last looked
	gaveAt  time.Time // when the first update was given; zero while none was
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
		out, ok := u.eventOf(e)
		if !ok {
			continue
		}
		if err := u.event(e.Seq, out); err != nil {
			return err
		}
	}
	return nil
}

// eventOf returns an entry as the widget knows it; ok is false for one that has
// nothing to show.
func (u *connection) eventOf(e parley.Entry) (out event, ok bool) {
	switch {
	case e.IsMessage():
		m := updateMessage{ID: e.ID, Role: "assistant", Content: u.content(e), CreatedAt: api.Time(e.At), SenderType: "human_agent", SenderName: e.Author.Name}
		if e.Author.Kind == parley.AuthorSystem {
			m.SenderType = "system"
		}
		return event{Type: "message", Message: m}, m.Content != ""
	case e.Event == parley.EventHandedOver, e.Event == parley.EventTakenOver:
		return event{Type: "status-change", Status: "human_takeover"}, true
	}
	return event{Type: "status-change", Status: "closed"}, true
}

// content is the text with the addresses of what is attached, as the widget
// shows text only, at most as long as it takes.
func (u *connection) content(e parley.Entry) string {
	lines := []string{e.Text}
	for _, p := range e.Parts {
		if a := p.Attachment; a != nil {
			lines = append(lines, a.Name+": "+u.API.FileURL(u.r, u.project, a.ID, a.Name))
		}
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	if longest := parley.ChannelHissuno.MaxHumanBytes(); len(text) > longest {
		return cut(text, longest-len("…")) + "…"
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
