package outbound_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/outbound"
)

func client(t *testing.T, c outbound.Config) *outbound.Client {
	t.Helper()
	out, err := outbound.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask asks a host that resolves to the addresses. There is no time to dial, so
// an address that is taken fails as well, without being asked.
func ask(t *testing.T, c outbound.Config, addresses ...string) error {
	t.Helper()
	c.Resolve, c.Dial = resolver(addresses...), time.Nanosecond
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://customer.example/hook", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client(t, c).Do(r)
	if err == nil {
		res.Body.Close()
		t.Fatal("a request without time was answered")
	}
	return err
}

// TestAddresses: only public addresses are dialled, however they are written.
func TestAddresses(t *testing.T) {
	tests := []struct {
		address           string
		taken, takenLocal bool // in production; with Private
	}{
		{"93.184.216.34", true, true},
		{"::ffff:93.184.216.34", true, true},
		{"2606:2800:21f:cb07::1", true, true},
		{"64:ff9b::5db8:d822", true, true}, // a public one, through NAT64
		{"2002:5db8:d822::1", true, true},
		{"172.15.255.255", true, true},
		{"172.32.0.0", true, true},
		{"100.63.255.255", true, true},
		{"100.128.0.0", true, true},
		{"169.253.255.255", true, true},
		{"198.17.255.255", true, true},
		{"223.255.255.255", true, true},
		{"2001:200::1", true, true},

		{"127.0.0.1", false, true},
		{"127.255.255.254", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"64:ff9b::7f00:1", false, true},
		{"2002:7f00:1::", false, true},
		{"10.0.0.1", false, true},
		{"10.255.255.255", false, true},
		{"172.16.0.1", false, true},
		{"172.31.255.255", false, true},
		{"192.168.1.1", false, true},
		{"::ffff:10.0.0.1", false, true},
		{"64:ff9b::a00:1", false, true},
		{"2002:c0a8:101::1", false, true},
		{"fc00::1", false, true},
		{"fdff:ffff::1", false, true},
		{"fd00:ec2::254", false, true}, // AWS's metadata service over IPv6, a private address

		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"::", false, false},
		{"::ffff:0.0.0.0", false, false},
		{"169.254.169.254", false, false}, // AWS's metadata service
		{"169.254.170.2", false, false},   // AWS's container credentials
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"2002:a9fe:a9fe::1", false, false},
		{"fe80::1", false, false},
		{"fe80::1%eth0", false, false},
		{"2606:2800:21f:cb07::1%eth0", false, false},
		{"febf::1", false, false},
		{"100.64.0.1", false, false},
		{"100.127.255.255", false, false},
		{"64:ff9b::6440:1", false, false},
		{"224.0.0.1", false, false},
		{"239.255.255.255", false, false},
		{"ff02::1", false, false},
		{"240.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"192.0.0.8", false, false},
		{"192.0.2.1", false, false},
		{"192.88.99.1", false, false},
		{"198.18.0.1", false, false},
		{"198.19.255.255", false, false},
		{"198.51.100.1", false, false},
		{"203.0.113.1", false, false},
		{"::127.0.0.1", false, false},        // IPv4-compatible
		{"::ffff:0:127.0.0.1", false, false}, // IPv4-translated
		{"64:ff9b:1::7f00:1", false, false},  // NAT64 of local use
		{"100::1", false, false},             // discard
		{"2001::1", false, false},            // Teredo
		{"2001:2::1", false, false},          // benchmarks
		{"2001:db8::1", false, false},        // documentation
		{"3fff::1", false, false},            // documentation
		{"5f00::1", false, false},            // segment routing
		{"fec0::1", false, false},            // site-local
	}
	for _, test := range tests {
		for _, private := range []bool{false, true} {
			want := test.taken
			if private {
				want = test.takenLocal
			}
			err := ask(t, outbound.Config{Private: private}, test.address)
			if refused := errors.Is(err, outbound.ErrRefused); refused == want {
				t.Errorf("%s with Private %v: %v, want it taken: %v", test.address, private, err, want)
			}
			if strings.Contains(err.Error(), test.address) {
				t.Errorf("%q tells what the host resolves to", err)
			}
		}
	}
}

// TestOneBad: one refused address is enough, wherever it stands.
func TestOneBad(t *testing.T) {
	for _, addresses := range [][]string{
		{"93.184.216.34", "127.0.0.1"},
		{"127.0.0.1", "93.184.216.34"},
		{"93.184.216.34", "2606:2800:21f:cb07::1", "fe80::1"},
		{"1.1.1.1", "1.0.0.1", "9.9.9.9", "8.8.8.8", "8.8.4.4", "4.2.2.1", "4.2.2.2", "4.2.2.3", "4.2.2.4", "10.0.0.1"},
	} {
		if err := ask(t, outbound.Config{}, addresses...); !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%v: %v", addresses, err)
		}
	}
	if err := ask(t, outbound.Config{}, "93.184.216.34", "2606:2800:21f:cb07::1"); errors.Is(err, outbound.ErrRefused) {
		t.Errorf("two good addresses: %v", err)
	}
	if err := ask(t, outbound.Config{}); errors.Is(err, outbound.ErrRefused) || !strings.Contains(err.Error(), "no address") {
		t.Errorf("no address: %v", err)
	}
}

// TestRuntime: the runtime's own address is refused, on a laptop too.
func TestRuntime(t *testing.T) {
	tests := []struct {
		runtime, address string
		private, taken   bool
	}{
		{"93.184.216.34:9001", "93.184.216.34", false, false}, // whatever port is asked
		{"93.184.216.34:9001", "64:ff9b::5db8:d822", false, false},
		{"93.184.216.34:9001", "93.184.216.35", false, true},
		{"127.0.0.1:443", "127.0.0.1", true, false},
		{"127.0.0.1:443", "127.0.0.2", true, false},
		{"127.0.0.1:443", "::1", true, false},
		{"127.0.0.1:9001", "127.0.0.1", true, true}, // another port
	}
	for _, test := range tests {
		err := ask(t, outbound.Config{Private: test.private, Runtime: test.runtime}, test.address)
		if taken := !errors.Is(err, outbound.ErrRefused); taken != test.taken {
			t.Errorf("%+v: %v", test, err)
		}
	}
	for _, wrong := range []string{"localhost:9001", "127.0.0.1", ":9001"} {
		if _, err := outbound.New(outbound.Config{Runtime: wrong}); err == nil {
			t.Errorf("Runtime %q was taken", wrong)
		}
	}
}

func TestCheckURL(t *testing.T) {
	tests := []struct {
		url               string
		taken, takenLocal bool
	}{
		{"https://customer.example/hook?key=1", true, true},
		{"https://customer.example", true, true},
		{"https://customer.example:8443/hook", true, true},
		{"https://customer.example:443/hook", true, true},
		{"https://93.184.216.34/", true, true},
		{"https://[2606:2800:21f:cb07::1]:8443/", true, true},
		{"https://customer.example:25/", false, true},
		{"https://customer.example:80/", false, true},
		{"http://customer.example/hook", false, true},
		{"http://localhost:8080/hook", false, true},
		{"https://localhost/hook", false, true},
		{"https://LOCALHOST./hook", false, true},
		{"https://a.localhost/hook", false, true},
		{"https://127.0.0.1/", false, true},
		{"https://[::1]/", false, true},
		{"https://[::ffff:10.0.0.1]/", false, true},
		{"https://169.254.169.254/latest/meta-data", false, false},
		{"https://[fe80::1%25eth0]/", false, false},
		{"https://0.0.0.0/", false, false},
		{"https://customer.example:99999/", false, false},
		{"https://customer.example:0/", false, false},
		{"https://user:password@customer.example/", false, false},
		{"https://user@customer.example/", false, false},
		{"https://customer.example/#part", false, false},
		{"https:///hook", false, false},
		{"https:customer.example", false, false},
		{"//customer.example/hook", false, false},
		{"ftp://customer.example/", false, false},
		{"file:///etc/passwd", false, false},
		{"gopher://customer.example/", false, false},
		{"", false, false},
		{"https://customer.example/\x00", false, false},
		{"https://customer.example/" + strings.Repeat("a", outbound.MaxURLBytes), false, false},
	}
	for _, test := range tests {
		for _, private := range []bool{false, true} {
			want := test.taken
			if private {
				want = test.takenLocal
			}
			err := client(t, outbound.Config{Private: private}).CheckURL(test.url)
			if (err == nil) != want || err != nil && !errors.Is(err, outbound.ErrRefused) {
				t.Errorf("CheckURL(%q) with Private %v = %v, want it taken: %v", test.url, private, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "password@") {
				t.Errorf("%q has the password in it", err)
			}
		}
	}
}
