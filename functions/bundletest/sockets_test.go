package bundletest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley/functions/chathub"
	"parley/functions/chathub/chathubtest"
	"parley/functions/cossistant/cossistanttest"
	"parley/functions/cossistant/shape"
	"parley/local/gateway"
	"parley/local/gateway/gatewaytest"
	"parley/shared/live"
	"parley/shared/parley"
)

// socketFunctions are the functions behind the WebSocket APIs, by the names of these.
var socketFunctions = map[string]string{chathub.API: "chathub", live.ConsoleAPI: "consolews", shape.SocketAPI: "cossistantws"}

// listenSockets takes the addresses of the WebSocket APIs, of which the functions are
// told before there is anybody.
func (s *stack) listenSockets() {
	s.sockets, s.gateways = map[string]*gatewaytest.Address{}, map[string]*gateway.API{}
	s.template.values["AWS::Region"], s.template.values["AWS::URLSuffix"] = "us-east-1", "amazonaws.com"
	for api := range socketFunctions {
		s.sockets[api] = gatewaytest.Listen(s.t)
		s.template.values[socketID(api)] = api + "1a2b3c"
	}
}

// socketID is the logical id of a WebSocket API.
func socketID(api string) string { return strings.ToUpper(api[:1]) + api[1:] + "Socket" }

// rewireSockets has a function reach the stand-ins where the template names API Gateway.
func (s *stack) rewireSockets(env map[string]string) {
	s.t.Helper()
	text, ok := env["PARLEY_SOCKETS"]
	if !ok {
		return
	}
	var endpoints map[string]string
	if err := json.Unmarshal([]byte(text), &endpoints); err != nil {
		s.t.Fatalf("PARLEY_SOCKETS = %s: %v", text, err)
	}
	for api, endpoint := range endpoints {
		if want := "https://" + api + "1a2b3c.execute-api.us-east-1.amazonaws.com/" + gateway.Stage; endpoint != want {
			s.t.Fatalf("PARLEY_SOCKETS names %s for %s, want %s", endpoint, api, want)
		}
		endpoints[api] = s.sockets[api].Endpoint
	}
	b, err := json.Marshal(endpoints)
	if err != nil {
		s.t.Fatal(err)
	}
	env["PARLEY_SOCKETS"] = string(b)
}

// serveSockets puts the functions behind the WebSocket APIs.
func (s *stack) serveSockets() {
	for api, function := range socketFunctions {
		s.gateways[api] = gateway.New(gateway.Config{Name: api, Invoke: s.functions[function].Invoke, Log: slog.New(slog.DiscardHandler)})
		s.sockets[api].Serve(s.gateways[api], s.keys)
	}
}

// TestSockets: the functions behind WebSocket APIs, with the feed on the table's stream.
func TestSockets(t *testing.T) {
	long(t)
	t.Parallel()
	s := deploy(t, functionURLs)
	s.follow(t)
	t.Run("Console", func(t *testing.T) { testConsole(t, s) })
	t.Run("ChatHub", func(t *testing.T) { chathubtest.Run(t, s.chatHub()) })
	t.Run("Cossistant", func(t *testing.T) { cossistanttest.RunSockets(t, s.cossistantSockets()) })
	t.Run("SignalR", func(t *testing.T) { chathubtest.RunInNode(t, s.behindOneName()) })
}

// behindOneName is the hub as its clients need it: they negotiate and connect below one
// address, which a distribution of CloudFront gives them on AWS.
func (s *stack) behindOneName() chathubtest.Host {
	s.t.Helper()
	host := s.chatHub()
	functions, err := url.Parse(host.Base)
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(chathub.NegotiatePath, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(functions) }})
	mux.Handle(chathub.Path, s.gateways[chathub.API])
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	host.Base = server.URL
	return host
}

// testConsole: a console gets a ticket, which opens its socket once, is told over it
// what a visitor writes and that they type, and is cut off with its key.
func testConsole(t *testing.T, s *stack) {
	v := s.visitor(t)
	_, first := v.send(object{"messageId": "m1", "content": "Hello"}).rest()
	key, secret, err := s.store.AddPrivateKey(t.Context(), v.project, parley.PrivateKey{Name: "desk", Scopes: parley.Scopes()})
	if err != nil {
		t.Fatal(err)
	}
	desk := *v
	desk.token = secret
	server := []string{"Origin", ""} // a private key is not for a page of another site
	var way struct{ Ticket, Socket string }
	made := desk.do(http.MethodPost, s.addresses["operator"]+"/operator/ticket", nil, server...)
	if err := json.NewDecoder(made.Body).Decode(&way); err != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("ticket: %d, %v", made.StatusCode, err)
	}
	address := "ws" + strings.TrimPrefix(s.sockets[live.ConsoleAPI].Endpoint, "http")
	if way.Socket != address {
		t.Fatalf("the console is sent to %s, want %s", way.Socket, address)
	}
	policy := desk.do(http.MethodGet, s.addresses["operator"]+"/console/", nil).Header.Get("Content-Security-Policy")
	if _, connect, _ := strings.Cut(policy, "connect-src 'self'"); !strings.Contains(strings.Split(connect, ";")[0]+" ", " "+strings.TrimSuffix(address, "/"+gateway.Stage)+" ") {
		t.Errorf("the console's page may not connect to %s: %s", address, policy)
	}
	c := dialConsole(t, address+"?ticket="+way.Ticket)
	if _, response, err := websocket.Dial(t.Context(), address+"?ticket="+way.Ticket, nil); err == nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a ticket that was used is answered %v, %v", response, err)
	}
	c.say(object{"ping": true})
	c.hears("pong")
	c.say(object{"watch": first.Session.ID})
	c.hears("watching")
	v.send(object{"messageId": "m2", "content": "Are you there?", "sessionId": first.Session.ID}).rest()
	for said := ""; !strings.Contains(said, "Are you there?"); {
		said = c.hears("news")
	}
	v.into(v.do(http.MethodPost, v.urls.Chat+"/chat/"+first.Session.ID+"/typing", object{"typing": true}), &struct{}{})
	if said := c.hears("typing"); !strings.Contains(said, first.Session.ID) {
		t.Errorf("the console hears %s", said)
	}
	desk.into(desk.do(http.MethodDelete, s.addresses["operator"]+"/operator/project/private-keys/"+key.ID, nil, server...), &struct{}{})
	c.ends()
}

// consoleSocket is a console's connection.
type consoleSocket struct {
	t  *testing.T
	ws *websocket.Conn
}

func dialConsole(t *testing.T, address string) *consoleSocket {
	t.Helper()
	ws, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(1 << 20)
	return &consoleSocket{t, ws}
}

func (c *consoleSocket) say(frame object) {
	c.t.Helper()
	b, err := json.Marshal(frame)
	if err == nil {
		err = c.ws.Write(c.t.Context(), websocket.MessageText, b)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *consoleSocket) read() (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, frame, err := c.ws.Read(ctx)
	return string(frame), err
}

// hears returns the next frame of a type. Those of news come when they come.
func (c *consoleSocket) hears(kind string) string {
	c.t.Helper()
	for {
		frame, err := c.read()
		var f struct{ Type string }
		if err == nil {
			err = json.Unmarshal([]byte(frame), &f)
		}
		if err != nil {
			c.t.Fatalf("instead of %s: %v", kind, err)
		}
		switch f.Type {
		case kind:
			return frame
		case "news", "inbox":
		default:
			c.t.Fatalf("instead of %s the console hears %s", kind, frame)
		}
	}
}

// ends waits for the end of the connection.
func (c *consoleSocket) ends() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if websocket.CloseStatus(err) < 0 {
				c.t.Errorf("the connection ends with %v", err)
			}
			return
		}
	}
}
