package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"parley/shared/socket"
)

// Poster reaches the clients of APIs by function calls, by the APIs' names.
type Poster map[string]*API

var _ socket.Poster = Poster{}

// Post sends one frame.
func (p Poster) Post(_ context.Context, to socket.Ref, frame []byte) error {
	if err := socket.CheckFrame(frame); err != nil {
		return err
	}
	a, err := p.api(to)
	if err != nil {
		return err
	}
	return a.post(to.ID, frame)
}

// Close ends a connection.
func (p Poster) Close(_ context.Context, to socket.Ref) error { return p.hangUp(to, hungUp) }

var _ socket.Refuser = Poster{}

// Refuse ends a connection with 1008. API Gateway has nothing like it, so that the
// management interface has not either.
func (p Poster) Refuse(_ context.Context, to socket.Ref) error { return p.hangUp(to, refused) }

func (p Poster) hangUp(to socket.Ref, why end) error {
	a, err := p.api(to)
	if err != nil {
		return err
	}
	if err := a.hangUp(to.ID, why); !errors.Is(err, socket.ErrGone) {
		return err
	}
	return nil
}

// The ends of connections in the function's name.
var (
	hungUp  = end{websocket.StatusNormalClosure, "Connection Closed Normally"}
	refused = end{websocket.StatusPolicyViolation, "Refused"}
)

// Active returns when the client last sent something.
func (p Poster) Active(_ context.Context, to socket.Ref) (time.Time, error) {
	a, err := p.api(to)
	if err != nil {
		return time.Time{}, err
	}
	s, err := a.status(to.ID)
	return s.LastActiveAt, err
}

func (p Poster) api(to socket.Ref) (*API, error) {
	if a := p[to.API]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("there is no socket API %q", to.API)
}

var errInternal = errors.New("internal server error")

// post sends a frame. Its error is one of the port's, or errInternal.
func (a *API) post(id string, frame []byte) error {
	var fault PostFault
	if f := a.faults.Load(); f.Post != nil {
		fault = f.Post(socket.Ref{API: a.cfg.Name, ID: id}, frame)
		pause(a.ended, fault.Delay)
	}
	var err error
	if fault.Status == 0 || fault.Delivered {
		err = a.send(id, frame)
	}
	switch {
	case fault.Status == 0:
		return err
	case fault.Status == http.StatusGone:
		return socket.ErrGone
	case fault.Status == http.StatusTooManyRequests:
		return socket.ErrBusy
	}
	return errInternal
}

func (a *API) send(id string, frame []byte) error {
	c := a.connection(id)
	if c == nil {
		return socket.ErrGone
	}
	if len(frame) > MaxMessage {
		return socket.ErrTooLarge
	}
	return c.write(frame)
}

// hangUp ends a connection in the function's name.
func (a *API) hangUp(id string, why end) error {
	c := a.connection(id)
	if c == nil {
		return socket.ErrGone
	}
	go c.close(why)
	return nil
}

// status is what the management interface tells of a connection.
type status struct {
	ConnectedAt  time.Time `json:"connectedAt"`
	LastActiveAt time.Time `json:"lastActiveAt"`
	Identity     struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"identity"`
}

func (a *API) status(id string) (s status, err error) {
	c := a.connection(id)
	if c == nil {
		return s, socket.ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ConnectedAt, s.LastActiveAt = c.connected.UTC(), c.active.UTC()
	s.Identity.SourceIP, s.Identity.UserAgent = c.address, c.agent
	return s, nil
}

// ManagementPath is where the management interface is.
const ManagementPath = "/" + Stage + "/@connections/"

// Management is the management interface of the API, at ManagementPath. Who may use
// it others must check: awstest.Signed does.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
func (a *API) Management() http.Handler { return http.HandlerFunc(a.manage) }

func (a *API) manage(w http.ResponseWriter, r *http.Request) {
	escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), ManagementPath)
	id, err := url.PathUnescape(escaped)
	if !ok || err != nil || strings.Contains(escaped, "=") {
		fail(w, http.StatusForbidden, "ForbiddenException") // ids are sent escaped
		return
	}
	switch r.Method {
	case http.MethodPost:
		var frame []byte
		if frame, err = io.ReadAll(io.LimitReader(r.Body, MaxMessage+1)); err == nil {
			err = a.post(id, frame)
		}
		a.answer(w, err, http.StatusOK, nil)
	case http.MethodGet:
		s, err := a.status(id)
		a.answer(w, err, http.StatusOK, s)
	case http.MethodDelete:
		a.answer(w, a.hangUp(id, hungUp), http.StatusNoContent, nil)
	default:
		fail(w, http.StatusForbidden, "ForbiddenException")
	}
}

func (a *API) answer(w http.ResponseWriter, err error, status int, body any) {
	switch {
	case errors.Is(err, socket.ErrGone):
		fail(w, http.StatusGone, "GoneException")
	case errors.Is(err, socket.ErrBusy):
		fail(w, http.StatusTooManyRequests, "LimitExceededException")
	case errors.Is(err, socket.ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "PayloadTooLargeException")
	case err != nil:
		fail(w, http.StatusInternalServerError, "InternalServerErrorException")
	default:
		w.WriteHeader(status)
		if body != nil {
			json.NewEncoder(w).Encode(body)
		}
	}
}

func fail(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": http.StatusText(status)})
}
