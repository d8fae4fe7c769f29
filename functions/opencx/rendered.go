package opencx

import (
	"container/list"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
)

// rendered is what clients get of one session, as this instance has rendered it: a
// client asks for all of it each time, and most of the time nothing has changed.
// It is never served without the session's own item having been read, which says
// whose it is, that it still is, and up to which entry it goes. It is not changed
// once it is kept.
type rendered struct {
	created    int64
	seq        parley.Seq
	basis      basis
	cut        bool
	lines      []line
	bytes      int // of the lines
	checkpoint json.RawMessage
	// session and compressed are the last answer to a poll.
	session    string
	compressed []byte
}

// line is one row.
type line struct {
	json string
	at   api.Time
	kind string // the kind of its sender
}

// weighs is what it takes of the memory, in bytes, about.
func (r *rendered) weighs() int {
	return r.bytes + 64*len(r.lines) + len(r.checkpoint) + len(r.session) + len(r.compressed) + 512
}

// list returns the rows as a JSON list.
func (r *rendered) list(lines []line) string {
	var b strings.Builder
	b.Grow(r.bytes + len(lines) + 2)
	b.WriteByte('[')
	for i, l := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.json)
	}
	b.WriteByte(']')
	return b.String()
}

// place names a session in the cache; files have addresses under uploads.
type place struct {
	project parley.ProjectID
	session parley.SessionID
	uploads string
}

// maxRenderedBytes is how much an instance keeps of what it has rendered. Our
// choice: with the few requests that an instance has at a time it stays far below
// the 128 MB that a function has.
const maxRenderedBytes = 16 << 20

// cache holds what was rendered last, at most so many bytes of it.
type cache struct {
	mu    sync.Mutex
	most  int
	bytes int
	of    map[place]*list.Element
	order *list.List // of cached, the one used last in front
}

type cached struct {
	place
	*rendered
}

func newCache(most int) *cache {
	return &cache{most: most, of: map[place]*list.Element{}, order: list.New()}
}

func (c *cache) get(p place) *rendered {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.of[p]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).rendered
}

// put keeps what was rendered, or, of nil, takes it away.
func (c *cache) put(p place, r *rendered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.of[p]; e != nil {
		c.remove(e)
	}
	if r == nil || r.weighs() > c.most {
		return
	}
	c.of[p] = c.order.PushFront(cached{p, r})
	for c.bytes += r.weighs(); c.bytes > c.most; {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	old := c.order.Remove(e).(cached)
	delete(c.of, old.place)
	c.bytes -= old.weighs()
}

// render returns the session in the path with what clients get of it.
func (f function) render(r *http.Request, c parley.Caller, p *parley.Project) (*parley.Session, place, *rendered, error) {
	id := parley.SessionID(r.PathValue("session"))
	c, at := f.holding(c, id), place{p.ID, id, f.API.Bases(r).Uploads}
	session, kept, err := f.renderFor(r, c, p, at)
	if err == nil && f.revives(r, session) {
		session, kept, err = f.renderFor(r, c, p, at)
	}
	return session, at, kept, err
}

// renderFor is render for a caller, of a session as it stands.
func (f function) renderFor(r *http.Request, c parley.Caller, p *parley.Project, at place) (*parley.Session, *rendered, error) {
	had := f.rendered.get(at)
	if had != nil {
		news, enough, err := f.API.Store.FullTranscriptAfter(r.Context(), c, at.session, had.created, had.seq)
		if parley.Code(err) == "not_found" {
			f.rendered.put(at, nil) // it may have been erased
		}
		if err != nil {
			return nil, nil, err
		}
		if enough && had.basis.equal(basisOf(p, news.Session)) {
			if news.Session.Seq == had.seq {
				return news.Session, had, nil
			}
			if now := had.with(view{f, r, news.Session}, news); !now.cut && now.bytes <= maxHistoryBytes {
				f.rendered.put(at, now)
				return news.Session, now, nil
			}
		}
	}
	all, err := f.API.Store.FullTranscript(r.Context(), c, at.session, maxHistoryBytes)
	if err != nil {
		return nil, nil, err
	}
	now := &rendered{created: all.Session.Created, basis: basisOf(p, all.Session), cut: all.Cut, checkpoint: all.About.Checkpoint}
	if all.Cut {
		now.add(beginning(all))
	}
	now.take(view{f, r, all.Session}, all)
	f.rendered.put(at, now)
	return all.Session, now, nil
}

// basis is what lines depend on besides their entries: where the session stands, and
// how its project words Parley's own sentences.
type basis struct {
	state              parley.State
	texts              map[string]string
	language, fallback string
}

func basisOf(p *parley.Project, session *parley.Session) basis {
	return basis{session.State, p.Texts, session.Language, p.Language}
}

func (b basis) equal(other basis) bool {
	return b.state == other.state && b.language == other.language && b.fallback == other.fallback && maps.Equal(b.texts, other.texts)
}

// with is what was rendered, and then the news.
func (r *rendered) with(v view, news parley.FullTranscript) *rendered {
	now := *r
	now.lines, now.session, now.compressed = slices.Clone(r.lines), "", nil
	now.take(v, news)
	return &now
}

// take adds the entries that concern a visitor.
func (r *rendered) take(v view, from parley.FullTranscript) {
	r.seq = from.Session.Seq
	for _, e := range from.Entries {
		if e.Event == parley.EventCheckpoint {
			r.checkpoint = e.Data
		}
		for _, out := range greetingRows(e) {
			r.add(out)
		}
		if out, ok := v.row(e); ok {
			r.add(out)
		}
	}
}

func (r *rendered) add(out row) {
	l := line{api.Encode(out), out.SentAt, out.Sender.Kind}
	r.lines, r.bytes = append(r.lines, l), r.bytes+len(l.json)
}

// poll answers with the session and all of its rows.
func (f function) poll(w http.ResponseWriter, r *http.Request, c parley.Caller, p *parley.Project) error {
	session, at, kept, err := f.render(r, c, p)
	if err != nil {
		return err
	}
	dto, err := f.dto(r.Context(), session, parley.About{Checkpoint: kept.checkpoint})
	if err != nil {
		return err
	}
	head := api.Encode(dto)
	body := []byte(`{"session":` + head + `,"history":` + kept.list(kept.lines) + `}`)
	if kept.session != head {
		now := *kept
		now.session, now.compressed = head, api.Compress(body)
		f.rendered.put(at, &now)
		kept = &now
	}
	api.CompressedJSON(w, r, body, kept.compressed)
	return nil
}

// history returns only the rows. Clients of 2025 ask for the rows after a time, and
// take every row they get for a new one.
func (f function) history(w http.ResponseWriter, r *http.Request, c parley.Caller, p *parley.Project) error {
	_, _, kept, err := f.render(r, c, p)
	if err != nil {
		return err
	}
	lines, since := kept.lines, r.URL.Query().Get("lastMessageTimestamp")
	if isOlder(r) {
		lines = unread(lines, since)
	} else if after, err := time.Parse(time.RFC3339, since); err == nil {
		for len(lines) > 0 && lines[0].at <= api.TimeOf(after) {
			lines = lines[1:]
		}
	}
	body := []byte(kept.list(lines))
	api.CompressedJSON(w, r, body, api.Compress(body))
	return nil
}
