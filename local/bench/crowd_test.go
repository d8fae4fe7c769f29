package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"parley/shared/parley"
)

// crowd is how many visitors talk to the laptop's Parley at once, each with a
// second reader of the reply.
const crowd = 500

// crowdTime bounds the whole crowd.
const crowdTime = 2 * time.Minute

// measureCrowd starts Parley as `make run` does and has everybody ask at once.
func measureCrowd(t *tier) {
	p := startParley(t, serveModel(t, replyPieces, replyTime))
	ctx, cancel := context.WithTimeout(t.Context(), crowdTime)
	defer cancel()
	var visitors []*client
	for n := range crowd {
		v := &client{http: from(t, n), base: p.page, key: p.key}
		fatal(t, v.identify(ctx))
		visitors = append(visitors, v)
	}
	var senders, followers tally
	began := time.Now()
	var all sync.WaitGroup
	for n, v := range visitors {
		all.Go(func() { converse(ctx, v, n, &senders, &followers) })
	}
	all.Wait()
	took := time.Since(began)
	want := fmt.Sprintf("%d of %d", crowd, crowd)
	t.hold("replies that arrive whole, everybody asking at once", senders.say(), want, senders.whole == crowd)
	t.hold("… and at a second reader of each", followers.say(), want, followers.whole == crowd)
	t.note("… time for all, of replies that take 6 s", fmt.Sprintf("%.1f s", took.Seconds()))
	t.note("… memory of Parley at its peak", p.peak())
}

// tally counts replies.
type tally struct {
	mu     sync.Mutex
	whole  int
	failed error // why the first one failed that did
}

func (c *tally) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.whole++
	} else if c.failed == nil {
		c.failed = err
	}
}

func (c *tally) say() string {
	said := fmt.Sprintf("%d of %d", c.whole, crowd)
	if c.failed != nil {
		said += ": " + c.failed.Error()
	}
	return said
}

// converse asks one question, and has a second reader follow the reply as soon
// as the message is accepted.
func converse(ctx context.Context, v *client, n int, senders, followers *tally) {
	want, id := answer(question(n)), fmt.Sprint("m", n)
	followed := make(chan error, 1)
	follow := func(session parley.SessionID) {
		go func() {
			r, err := v.read(ctx, "GET", "/chat/"+string(session)+"/runs/"+id, nil, nil)
			followed <- r.whole(err, want)
		}()
	}
	r, err := v.read(ctx, "POST", "/chat", map[string]any{"messageId": id, "content": question(n)}, follow)
	senders.add(r.whole(err, want))
	if r == nil || r.session == "" {
		followers.add(errors.New("no message was accepted"))
		return
	}
	followers.add(<-followed)
}

// from returns an HTTP client with a network address of its own on this machine,
// for Parley bounds what one address may use. Linux has all of 127.0.0.0/8.
func from(t *tier, n int) *http.Client {
	local := &net.TCPAddr{IP: net.IPv4(127, 1, byte(n/250), byte(1+n%250))}
	if n == 0 {
		l, err := net.Listen("tcp", net.JoinHostPort(local.IP.String(), "0"))
		if err != nil {
			t.Skip("this machine has one loopback address: ", err)
		}
		l.Close()
	}
	dialer := &net.Dialer{LocalAddr: local}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
}

// process is a running Parley.
type process struct {
	*exec.Cmd
	page, key string
	private   string // a private key of an operator
}

var greeting = regexp.MustCompile(`(?s)page +(http://\S+)/\n.*key +(pk_test_\w+)\n.*private +(sk_test_\w+)\n`)

// startParley builds and starts Parley on free ports, with a folder of its own.
func startParley(t *tier, model string) *process {
	folder := t.TempDir()
	program := filepath.Join(folder, "parley")
	if said, err := exec.Command("go", "build", "-o", program, "parley/local").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, said)
	}
	p := &process{Cmd: exec.Command(program)}
	p.Dir = folder
	p.Env = []string{"HOME=" + folder, "PORT=0", "AGENT=openai", "MODEL=scripted", "OPENAI_BASE_URL=" + model}
	out, err := p.StdoutPipe()
	fatal(t, err)
	log, err := os.Create(filepath.Join(folder, "log"))
	fatal(t, err)
	defer log.Close()
	p.Stderr = log
	fatal(t, p.Start())
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
	})
	p.page, p.key, p.private = addresses(t, out)
	return p
}

// addresses reads where Parley says that it is. What it says after that is not read.
func addresses(t *tier, out io.Reader) (page, key, private string) {
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if found := greeting.FindStringSubmatch(said.String()); found != nil {
			return found[1], found[2], found[3]
		}
	}
	t.Fatalf("Parley says %q, want page and keys", said.String())
	return "", "", ""
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that the process has had, which Linux tells.
func (p *process) peak() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	found := highWater.FindSubmatch(status)
	if err != nil || found == nil {
		return "not measured: only Linux tells"
	}
	var kb int
	fmt.Sscan(string(found[1]), &kb)
	return fmt.Sprintf("%d MB", kb*1024/1e6)
}
