package bench

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	articles "parley/docs"
	"parley/shared/agent"
	"parley/shared/agent/docs"
	"parley/shared/agent/openai"
	"parley/shared/awstest"
	"parley/shared/lambdatest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/dynamo"
	"parley/shared/token"
)

const (
	// firstTexts is how many sessions of two turns are timed, near and far each.
	firstTexts = 20
	// away is how much further off the far table is: so much that what a busy
	// machine does to single calls hardly shows.
	away = 100 * time.Millisecond
	// passages is how many passages of articles ground the model, as in the function.
	passages = 4
)

// measureFirstText times the compiled chat function against the model that it
// asks. DynamoDB Local is so near that the hops between processes weigh more than
// its calls, so the function runs twice, the other time with a table further off:
// what the distance adds to the first text, divided by what it adds to a call, is
// how many round trips the first text waits for.
func measureFirstText(t *tier) {
	p := newPlatform(t)
	near, far := p.place(0), p.place(away)
	var direct samples
	for n := range firstTexts {
		for _, at := range []*place{near, far} {
			at.turns(2 * n)
			direct.add(p.direct(n))
		}
	}
	trip := far.trip.median() - near.trip.median()
	for i, turn := range []string{"first message", "later message"} {
		waves := float64(i + 1)
		trips := ratio(far.first[i].median()-near.first[i].median(), trip)
		t.atMost("round trips to the table before the first text, beyond those waves: "+turn, "%.2f", trips-waves, 1.3)
		added := near.first[i].median() - direct.median()
		t.note("… all that is added to the model's own time, beside the table",
			fmt.Sprintf("%s = %.1f round trips of %s", millis(added), ratio(added, near.trip.median()), millis(near.trip.median())))
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// platform is what the function's places share: a model, a table, a secret.
type platform struct {
	*tier
	master []byte
	keys   *token.Keyring
	name   string // of the table
	dynamo *url.URL
	model  string
	agent  *openai.Agent
}

func newPlatform(t *tier) *platform {
	p := &platform{tier: t, master: []byte(rand.Text() + rand.Text()), name: awstest.Table(t).Name()}
	var err error
	p.keys, err = token.New(token.Config{Masters: [][]byte{p.master}})
	fatal(t, err)
	p.dynamo, err = url.Parse(*awstest.DynamoDB(t).Options().BaseEndpoint)
	fatal(t, err)
	help, err := docs.New(docs.Config{Articles: articles.FS})
	fatal(t, err)
	p.model = serveModel(t, replyPieces, replyTime/60)
	p.agent, err = openai.New(openai.Config{BaseURL: p.model, Model: "scripted",
		Relay: agent.Relay{Ground: func(query, _ string) []agent.Passage { return help.Search(query, passages) }}})
	fatal(t, err)
	return p
}

// direct is how long the first text takes from the model itself, asked like the
// function asks it.
func (p *platform) direct(n int) time.Duration {
	c := agent.Conversation{MaxTokens: 1000, Turns: []agent.Turn{{Role: agent.Visitor, Text: question(n)}}}
	began, first := time.Now(), time.Duration(0)
	_, err := p.agent.Reply(p.Context(), c, func(string) error {
		first = time.Since(began)
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		p.Fatal(err)
	}
	return first
}

var errEnough = errors.New("only the first text is wanted")

// place is the function behind its URL, some way from the table.
type place struct {
	*platform
	table *dynamo.Table
	store *parley.Store
	url   string

	trip  samples    // one put
	first [2]samples // the first text of a first and of a later message
}

func (p *platform) place(distance time.Duration) *place {
	forward := httputil.NewSingleHostReverseProxy(p.dynamo)
	forward.Transport = &http.Transport{MaxIdleConnsPerHost: 10}
	endpoint := p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(distance)
		forward.ServeHTTP(w, r)
	}))
	client := dynamodb.New(awstest.DynamoDB(p).Options(), func(o *dynamodb.Options) { o.BaseEndpoint = &endpoint })
	at := &place{platform: p, table: dynamo.New(dynamo.Config{Client: client, Name: p.name})}
	at.store = parleytest.Store(p, parley.Config{Table: at.table, Derive: p.keys.Derive})
	parleytest.Put(p, at.store, parleytest.Settings())
	at.url = p.serve(lambdatest.URLHandler(lambdatest.Start(p, lambdatest.Config{
		Binary: lambdatest.Build(p, chatBinary),
		Name:   "chat",
		Env:    p.environment(endpoint),
	})))
	return at
}

// noSockets names the socket API that the chat function is told of, where nobody
// connects to it.
const noSockets = `{"console":"https://console.invalid/live"}`

// environment is the function's, as the template sets it.
func (p *platform) environment(table string) map[string]string {
	return map[string]string{
		"PARLEY_TABLE":              p.name,
		"PARLEY_MASTER_SECRET":      string(p.master),
		"PARLEY_RESPOND_FUNCTION":   "respond",
		"PARLEY_SOCKETS":            noSockets,
		"PARLEY_AGENT":              "openai",
		"PARLEY_MODEL":              "scripted",
		"PARLEY_BASE_URL":           p.model,
		"AWS_ENDPOINT_URL_DYNAMODB": table,
	}
}

func (p *platform) serve(h http.Handler) (url string) {
	server := httptest.NewServer(h)
	p.Cleanup(server.Close)
	return server.URL
}

// turns times a session of two turns, and a round trip before each. The first
// turns start the function and are not counted.
func (at *place) turns(n int) {
	caller := parleytest.Visitor(at, at.store)
	bearer, _, err := at.keys.Visitor(&parley.Project{ID: caller.Project}, parley.Visitor{ID: caller.Visitor, Generation: caller.Generation}, 0)
	fatal(at, err)
	v := &client{http: http.DefaultClient, base: at.url, key: parleytest.Settings().PublicKeys[0], token: bearer}
	session := parley.SessionID("")
	for i := range at.first {
		trip := at.roundTrip()
		took := time.Duration(0)
		session, took = at.turn(v, n+i, session)
		if n > 0 {
			at.trip.add(trip)
			at.first[i].add(took)
		}
	}
}

// roundTrip is how long one put takes, of an item as long as a text of a log.
func (at *place) roundTrip() time.Duration {
	item := table.Item{table.PK: "bench", table.SK: rand.Text(), "data": string(bytes.Repeat([]byte("x"), questionBytes))}
	began := time.Now()
	fatal(at, at.table.Write(at.Context(), table.Put(item, table.Absent())))
	return time.Since(began)
}

// turn is how long the first text takes through the function.
func (at *place) turn(v *client, n int, session parley.SessionID) (parley.SessionID, time.Duration) {
	message := map[string]any{"messageId": rand.Text(), "sessionId": session, "content": question(n)}
	began := time.Now()
	r, err := v.read(at.Context(), "POST", "/chat", message, nil)
	fatal(at, r.whole(err, answer(question(n))))
	return r.session, r.texts[0].Sub(began)
}
