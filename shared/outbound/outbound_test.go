package outbound_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/shared/outbound"
)

// host is a server of a customer, reached by the name customer.example, for
// which its certificate is valid as httptest's is for example.com.
type host struct {
	*httptest.Server
	port string
	hits atomic.Int32
}

// serve starts one, which counts what it is asked.
func serve(t *testing.T, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.hits.Add(1)
		handler(w, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are what is tested
	h.StartTLS()
	t.Cleanup(h.Close)
	_, h.port, _ = net.SplitHostPort(h.Listener.Addr().String())
	return h
}

// config reaches the server, by whatever addresses its name has.
func (h *host) config(addresses ...string) outbound.Config {
	roots := x509.NewCertPool()
	roots.AddCert(h.Certificate())
	return outbound.Config{Private: true, Roots: roots, Resolve: resolver(addresses...)}
}

// resolver gives out the addresses for every name.
func resolver(addresses ...string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, a := range addresses {
			found = append(found, netip.MustParseAddr(a))
		}
		return found, nil
	}
}

const secret = "sEcReT"

// post asks a path of the host whose name the certificate has.
func (h *host) post(t *testing.T, c *outbound.Client, name string) (*http.Response, error) {
	t.Helper()
	target := "https://" + name + ":" + h.port + "/" + secret + "?key=" + secret
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err == nil {
		t.Cleanup(func() { res.Body.Close() })
	} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%q tells more than the host", err)
	}
	return res, err
}

func TestDo(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusAccepted)
		w.Write(append(body, r.URL.RawQuery...))
	})
	for name, addresses := range map[string][]string{
		"one address":            {"127.0.0.1"},
		"written as IPv6":        {"::ffff:127.0.0.1"},
		"one where nobody hears": {"127.0.0.9", "127.0.0.1"},
		"IPv6 first":             {"fd00::1", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := h.post(t, client(t, h.config(addresses...)), "example.com")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusAccepted || string(body) != `{"a":1}key=`+secret || res.Header.Get("X-Host") != "example.com:"+h.port {
				t.Errorf("answer = %d %q for %q, %v", res.StatusCode, body, res.Header.Get("X-Host"), err)
			}
		})
	}
}

// TestRefusedUnheard: who is refused never hears of it, nor does the good
// address beside it.
func TestRefusedUnheard(t *testing.T) {
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	strict := h.config("127.0.0.1")
	strict.Private = false
	strict.Resolve = resolver("127.0.0.1")
	own := h.config("127.0.0.1")
	own.Runtime = "127.0.0.1:" + h.port
	for name, c := range map[string]outbound.Config{
		"a bad one beside the good":  h.config("127.0.0.1", "169.254.169.254"),
		"a bad one before the good":  h.config("169.254.169.254", "127.0.0.1"),
		"in production":              strict,
		"the runtime's own address":  own,
		"the runtime's, in IPv6":     {Private: true, Runtime: own.Runtime, Resolve: resolver("::ffff:127.0.0.1")},
		"a mapped one beside it":     h.config("127.0.0.1", "::ffff:169.254.169.254"),
		"one through NAT64":          h.config("64:ff9b::a9fe:a9fe", "127.0.0.1"),
		"a host that is not covered": h.config("0.0.0.0"),
	} {
		if _, err := h.post(t, client(t, c), "example.com"); !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := h.hits.Load(); n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
}

// TestRebinding: a name that resolves to something else when it is asked again
// is looked at again.
func TestRebinding(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	c := h.config()
	lookups := 0
	c.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
		lookups++
		if lookups == 1 {
			return resolver("127.0.0.1")(ctx, host)
		}
		return resolver("169.254.169.254")(ctx, host)
	}
	out := client(t, c)
	res, err := h.post(t, out, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if _, err := h.post(t, out, "example.com"); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("the second request: %v", err)
	}
	if lookups != 2 || h.hits.Load() != 1 {
		t.Errorf("%d lookups, %d requests", lookups, h.hits.Load())
	}
}

func TestNoRedirect(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) {})
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	res, err := h.post(t, client(t, h.config("127.0.0.1")), "example.com")
	if err != nil || res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != other.URL {
		t.Errorf("answer = %v, %v", res, err)
	}
	if other.hits.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

// TestNoProxy: what the environment says of proxies counts for nothing.
func TestNoProxy(t *testing.T) {
	proxy := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := h.post(t, client(t, h.config("127.0.0.1")), "example.com"); err != nil {
		t.Error(err)
	}
	if proxy.hits.Load() != 0 || h.hits.Load() != 1 {
		t.Errorf("%d requests to the proxy, %d to the host", proxy.hits.Load(), h.hits.Load())
	}
}

func TestCertificates(t *testing.T) {
	h := serve(t, func(http.ResponseWriter, *http.Request) {})
	unknown := h.config("127.0.0.1")
	unknown.Roots = x509.NewCertPool()
	for name, ask := range map[string]func() error{
		"another name":      func() error { _, err := h.post(t, client(t, h.config("127.0.0.1")), "other.test"); return err },
		"unknown authority": func() error { _, err := h.post(t, client(t, unknown), "example.com"); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.hits.Load() != 0 {
		t.Error("the host was asked all the same")
	}
}

func TestBodyLimit(t *testing.T) {
	for _, size := range []int{0, 99, 100, 101, 1 << 20} {
		h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("a"), size)) })
		c := h.config("127.0.0.1")
		c.MaxBytes = 100
		res, err := h.post(t, client(t, c), "example.com")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if tooLarge := errors.Is(err, outbound.ErrTooLarge); tooLarge != (size > 100) || len(body) != min(size, 100) {
			t.Errorf("%d bytes: read %d, %v", size, len(body), err)
		}
		if size > 100 {
			if n, err := res.Body.Read(make([]byte, 10)); n != 0 || !errors.Is(err, outbound.ErrTooLarge) {
				t.Errorf("%d bytes, read on: %d, %v", size, n, err)
			}
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("a", 64<<10)) })
	if _, err := h.post(t, client(t, h.config("127.0.0.1")), "example.com"); err == nil {
		t.Error("a header of 64 KiB was taken")
	}
}

// TestTimeouts: a host that is slow anywhere ends the request.
func TestTimeouts(t *testing.T) {
	over := make(chan struct{})
	silent := serve(t, func(http.ResponseWriter, *http.Request) { <-over })
	dripping := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte("a"))
			w.(http.Flusher).Flush()
		}
	})
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(over); deaf.Close() })
	_, port, _ := net.SplitHostPort(deaf.Addr().String())

	c := silent.config("127.0.0.1")
	c.Header = 20 * time.Millisecond
	if _, err := silent.post(t, client(t, c), "example.com"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no header: %v", err)
	}
	c = silent.config("127.0.0.1")
	c.Dial = 20 * time.Millisecond
	if _, err := (&host{Server: silent.Server, port: port}).post(t, client(t, c), "example.com"); err == nil {
		t.Error("a host that makes no handshake answered")
	}
	c.Resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	if _, err := silent.post(t, client(t, c), "example.com"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no address: %v", err)
	}
	c = dripping.config("127.0.0.1")
	c.Whole, c.MaxBytes = 50*time.Millisecond, 1<<40
	res, err := dripping.post(t, client(t, c), "example.com")
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no end: %v", err)
	}
}

// TestErrors: what is said of a failure is ours, not the host's.
func TestErrors(t *testing.T) {
	silent := serve(t, func(http.ResponseWriter, *http.Request) {})
	garbled := httptest.NewUnstartedServer(nil)
	garbled.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, secret+" is no HTTP\r\n\r\n")
			conn.Close()
		}
	}()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // nobody listens there now
	port := func(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }
	tests := map[string]struct {
		port    string
		resolve func(context.Context, string) ([]netip.Addr, error)
		want    string
	}{
		"garbled":   {port(l), resolver("127.0.0.1"), "ask example.com: the connection broke, or the answer was no HTTP"},
		"closed":    {port(free), resolver("127.0.0.1"), "ask example.com: the connection was refused"},
		"no name":   {silent.port, func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{IsNotFound: true} }, "ask example.com: the host has no address"},
		"no server": {silent.port, func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{Server: "127.0.0.1"} }, "ask example.com: the host's name could not be resolved"},
	}
	for name, test := range tests {
		c := silent.config()
		c.Resolve = test.resolve
		_, err := (&host{Server: silent.Server, port: test.port}).post(t, client(t, c), "example.com")
		var e *outbound.Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Host != "example.com" || errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	for _, raw := range []string{"http://u:" + secret + "@example.com/", "ftp://example.com/" + secret} {
		r, err := http.NewRequest(http.MethodGet, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client(t, outbound.Config{}).Do(r); !errors.Is(err, outbound.ErrRefused) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
