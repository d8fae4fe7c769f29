package api

import (
	"net/http"
	"time"

	"parley/shared/parley"
)

// ChangeTime is how long a change may take where the host sets no limit, with the time
// that a slow line takes to send the body. Our choice.
const ChangeTime = time.Minute

// Call answers a request with one value, which is sent as JSON: with status 200, or 201
// for a Created. What it began is finished though the client leaves, unless it only
// reads: the context of the request then ends with the host's deadline.
type Call func(r *http.Request) (any, error)

// Created is the answer of a Call that made something new.
type Created struct{ Value any }

// Answer makes a handler of a call.
func Answer(call Call) HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			ctx, cancel := Lasting(r, ChangeTime)
			defer cancel()
			r = r.WithContext(ctx)
		}
		out, err := call(r)
		if err != nil {
			return err
		}
		if made, ok := out.(Created); ok {
			return JSON(w, http.StatusCreated, made.Value)
		}
		return JSON(w, http.StatusOK, out)
	}
}

// Within lets a handler's changes take longer than ChangeTime where the host sets no
// limit.
func Within(most time.Duration, handle HandlerFunc) HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := Lasting(r, most)
		defer cancel()
		return handle(w, r.WithContext(ctx))
	}
}

// Visitor says who makes a request, as API.Caller does.
type Visitor func(r *http.Request) (parley.Caller, *parley.Project, error)

// Handle makes a handler of one that writes its answer by itself, and is only for whom
// the Visitor knows.
func (who Visitor) Handle(handle func(w http.ResponseWriter, r *http.Request, c parley.Caller, p *parley.Project) error) HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		c, p, err := who(r)
		if err != nil {
			return err
		}
		return handle(w, r, c, p)
	}
}

// Answer makes a handler of a call that is only for whom the Visitor knows.
func (who Visitor) Answer(call func(r *http.Request, c parley.Caller, p *parley.Project) (any, error)) HandlerFunc {
	return Answer(func(r *http.Request) (any, error) {
		c, p, err := who(r)
		if err != nil {
			return nil, err
		}
		return call(r, c, p)
	})
}

// Team says who makes a request with a private key, as API.Staff does.
type Team func(r *http.Request) (Staff, error)

// Answer makes a handler of a call that is only for whom the Team knows.
func (who Team) Answer(call func(r *http.Request, s Staff) (any, error)) HandlerFunc {
	return Answer(func(r *http.Request) (any, error) {
		s, err := who(r)
		if err != nil {
			return nil, err
		}
		return call(r, s)
	})
}

// Handle is Answer for what writes its answer by itself.
func (who Team) Handle(handle func(w http.ResponseWriter, r *http.Request, s Staff) error) HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := who(r)
		if err != nil {
			return err
		}
		return handle(w, r, s)
	}
}
