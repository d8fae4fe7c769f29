package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/sse"
)

// client is a visitor's page, over HTTP.
type client struct {
	http             *http.Client
	base, key, token string
}

func (c *client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(api.KeyHeader, c.key)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		return nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, text)
	}
	return response, nil
}

// identify gets the client a token.
func (c *client) identify(ctx context.Context) error {
	response, err := c.open(ctx, "POST", "/identify", struct{}{})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var got struct{ Token string }
	err = json.NewDecoder(response.Body).Decode(&got)
	c.token = got.Token
	return err
}

// reply is a streamed reply, as far as it has been read.
type reply struct {
	session parley.SessionID
	text    strings.Builder
	status  parley.RunStatus // once it has ended
	texts   []time.Time      // when its texts came
}

// read makes a call whose answer is a stream and reads it to its end. Began is
// called when the run is known to exist; nil is nobody.
func (c *client) read(ctx context.Context, method, path string, in any, began func(parley.SessionID)) (*reply, error) {
	response, err := c.open(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	r := &reply{}
	for events := sse.NewReader(response.Body); ; {
		e, err := events.Next()
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		if err := r.take(e); err != nil {
			return r, err
		}
		if e.Name == "accepted" && began != nil {
			began(r.session)
		}
	}
}

func (r *reply) take(e sse.Event) error {
	var data struct {
		Delta   string
		Status  parley.RunStatus
		Session struct{ ID parley.SessionID }
	}
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		return err
	}
	switch e.Name {
	case "accepted":
		r.session = data.Session.ID
	case "text":
		r.texts = append(r.texts, time.Now())
		r.text.WriteString(data.Delta)
	case "end":
		r.status = data.Status
	}
	return nil
}

// whole is an error unless the reply was read to its end and is what is wanted.
func (r *reply) whole(err error, want string) error {
	switch {
	case err != nil:
		return err
	case r.status != parley.StatusDone || r.text.String() != want:
		return fmt.Errorf("a reply ended as %q with %d bytes, of %d", r.status, r.text.Len(), len(want))
	}
	return nil
}
