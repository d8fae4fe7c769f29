// Package bundle is all of Parley in one process: the handlers of every
// function on one port, the files on the next, the table in a folder. It is
// what `make run` starts; nothing of it ships in a Lambda.
package bundle

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"parley/functions/feed"
	"parley/functions/hooks"
	"parley/functions/push"
	"parley/functions/respond"
	"parley/functions/review"
	"parley/functions/sweep"
	"parley/local/files"
	"parley/local/gateway"
	"parley/shared/action"
	"parley/shared/agent"
	"parley/shared/api"
	"parley/shared/bucket"
	"parley/shared/live"
	"parley/shared/mail"
	"parley/shared/outbound"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/token"
)

// Config says what to start.
type Config struct {
	// Folder keeps the data; it is made if it is missing. Required.
	Folder string
	// Reset begins with an empty Folder: what a Parley made there is removed.
	Reset bool
	// Host is the address to listen on; "" is localhost, "0.0.0.0" every address.
	Host string
	// Port is the page's and the API's, 0 to MaxPort; the files are on the one
	// after it. 0 takes two free ones.
	Port int
	// Agent says who answers.
	Agent Agent
	// Secret returns a secret of the project's actions, "" if it is not there.
	// Nil is none.
	Secret func(name string) string
	// NotifySecret returns the address of a webhook of Slack's by the name that a
	// project has for it, "" if it is not there. Nil is none.
	NotifySecret func(name string) string
	// Mail sends mails from the address MailFrom; nil sends none.
	Mail     mail.Sender
	MailFrom string
	// Log takes a line a request; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock of what is stored and of what becomes due; nil means time.Now.
	Now func() time.Time
}

// Bundle is a Parley that listens. Serve it, and then it is closed.
type Bundle struct {
	// Page is the address of the page and the base of the API, Files that of the
	// files, both without a slash at the end. Key is the demo project's public
	// key, PrivateKey one of its private keys, for the console.
	Page, Files, Key, PrivateKey string

	log       *slog.Logger
	now       func() time.Time
	page      *door
	files     *door
	folder    *folder
	engine    *run.Engine
	sweep     sweep.Handler
	feed      feed.Handler
	hooks     hooks.Handler
	checkURL  func(string) error // of webhooks
	reviews   review.Handler
	pages     *live.Live // to be told over sockets
	pushes    push.Handler
	handler   http.Handler
	sockets   gateway.Poster // the socket APIs, and how their clients are reached
	limits    limits
	stopping  context.Context // ends when Serve is told to stop
	stop      context.CancelFunc
	responses sync.WaitGroup // runs and webhooks that no request waits for
}

// Open takes the ports and the folder. The error is one line for whoever
// started Parley, and says what to do where something can be done.
func Open(ctx context.Context, c Config) (*Bundle, error) {
	c.Host, c.Log = cmp.Or(c.Host, "localhost"), cmp.Or(c.Log, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	b := &Bundle{log: c.Log, now: c.Now, limits: standard, sockets: gateway.Poster{}}
	b.stopping, b.stop = context.WithCancel(context.Background())
	if err := b.open(ctx, c); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *Bundle) open(ctx context.Context, c Config) (err error) {
	if b.page, b.files, err = openDoors(c.Host, c.Port); err != nil {
		return err
	}
	b.Page, b.Files = b.page.origin(), b.files.origin()
	who, err := newAgents(ctx, c.Agent, b.Page+articlesPath)
	if err != nil {
		return err
	}
	if c.Reset {
		if err := resetFolder(c.Folder); err != nil {
			return err
		}
	}
	if b.folder, err = openFolder(c.Folder, b.Files, c.Log); err != nil {
		return err
	}
	return b.assemble(ctx, c, who)
}

// assemble puts the functions together.
func (b *Bundle) assemble(ctx context.Context, c Config, who func(*parley.Project, parley.AgentSettings) (agent.Agent, error)) error {
	keys := must(token.New(token.Config{Masters: [][]byte{b.folder.secret}, Now: c.Now}))
	store := must(parley.New(parley.Config{Table: b.folder.table, Derive: keys.Derive, Now: c.Now, Seats: seats, Near: api.LogNear(b.log),
		Bucket: bucket.New(bucket.Config{Client: b.folder.files.Client(), Name: files.Name})}))
	demo, err := keepDemo(ctx, store, c.Host != "localhost")
	if err != nil {
		return b.folder.explain(err)
	}
	b.Key = demo.PublicKeys[0]
	if b.PrivateKey, err = b.folder.privateKey(ctx, store); err != nil {
		return b.folder.explain(err)
	}
	b.openPush(c, store)
	// Actions may reach this machine and the network around it: whoever develops one runs it there.
	act := must(action.New(action.Config{Outbound: outbound.Config{Private: true}, Log: c.Log, Secret: fromSettings(c.Secret)})).Do
	b.engine = must(run.New(run.Config{Store: store, Agent: who, Act: act, Respond: b.respond, Live: b.pages.Run, Log: b.log, Now: c.Now}))
	b.sweep = sweep.New(sweep.Config{Store: store, Revive: b.engine.Revive, Wake: b.wake, Log: b.log, Now: c.Now})
	b.reviews = review.New(review.Config{Store: store, Agent: who, Log: b.log})
	b.openHooks(c, store)
	b.handler, err = b.routes(must(api.New(api.Config{Store: store, Keys: keys, Log: b.log})))
	return err
}

// must returns a part of Parley. What is refused there only this package can have got wrong.
func must[T any](part T, err error) T {
	if err != nil {
		panic("bundle: " + err.Error())
	}
	return part
}

// fromSettings returns what reads secrets that read has by their names; nil has none.
func fromSettings(read func(name string) string) func(context.Context, parley.ProjectID, string) (string, error) {
	return func(_ context.Context, _ parley.ProjectID, name string) (string, error) {
		if read != nil && read(name) != "" {
			return read(name), nil
		}
		return "", fmt.Errorf("no secret %s among the settings", name)
	}
}

// respond generates a run in the background, as the function of that name does.
func (b *Bundle) respond(ctx context.Context, ref parley.RunRef) error {
	generate := respond.New(respond.Config{Engine: b.engine, Turns: new(respond.Turns)})
	b.responses.Go(func() {
		if err := generate(context.WithoutCancel(ctx), respond.EventOf(ref)); err != nil {
			b.log.Error("respond", "project", ref.Project, "error", err)
		}
	})
	return nil
}

func (b *Bundle) close() error {
	b.stop()
	for _, d := range []*door{b.page, b.files} {
		if d != nil {
			d.close()
		}
	}
	if b.folder != nil {
		return b.folder.close()
	}
	return nil
}
