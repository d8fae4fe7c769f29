package operator

import (
	"net/http"
	"strconv"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/sse"
)

// reconnect is how long a reader should wait before it resumes a stream that was
// cut off.
const reconnect = time.Second

type delta struct {
	Delta string `json:"delta"`
}

type ended struct {
	Status  parley.RunStatus `json:"status"`
	Message *entry           `json:"message"`
	Session *session         `json:"session"` // null when it was erased
}

// watch streams a reply while it is written.
func (f function) watch(w http.ResponseWriter, r *http.Request, s api.Staff) error {
	id := parley.RunID(r.PathValue("run"))
	at, err := api.PositionOf(r, id)
	if err != nil {
		return err
	}
	ref, err := f.API.Store.OpenRun(r.Context(), s.Caller, sessionOf(r), id)
	if err != nil {
		return err
	}
	if at.Ended {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	out := sse.Start(w)
	if err := out.Retry(reconnect); err != nil {
		return nil // the reader has left
	}
	f.API.Cut(r, s.Project.ID, f.Runs.Watch(r.Context(), ref, at.Bytes, run.Reader{Every: f.Heartbeat,
		Beat: func() error { return out.Comment("beat") },
		Event: func(e run.Event) error {
			if e.End != nil {
				return out.Event(sse.Event{ID: api.RunEventID(id, api.RunEnd), Name: "end", Data: api.Encode(f.ended(r, s, e.End))})
			}
			return out.Event(sse.Event{ID: api.RunEventID(id, strconv.Itoa(e.Upto)), Name: "text", Data: api.Encode(delta{e.Text})})
		}}))
	return nil
}

func (f function) ended(r *http.Request, s api.Staff, e *run.End) ended {
	out := ended{Status: e.Status}
	if e.Entry != nil && e.Entry.IsMessage() {
		m := f.entry(r, s.Project.ID, *e.Entry)
		out.Message = &m
	}
	if e.Session != nil {
		now := api.NewStaffSession(e.Session)
		out.Session = &now
	}
	return out
}
