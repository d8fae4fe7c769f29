// Command examples is a visitor of Parley in Go, without any library: it gets a
// token, asks, prints the reply while it is written, resumes it when the
// connection is lost, rates it and leaves.
//
//	KEY=pk_test_… go run ./docs/examples 'What does it cost?'
//
// KEY is the public key that `make run` prints. PARLEY is the address of Parley,
// if it is not the one on this machine. Tested, with the other examples, by local.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

var key, token = os.Getenv("KEY"), ""

// errRefused is an answer that asking again will not change.
var errRefused = errors.New("refused")

// call makes a GET, or with a body a POST, and returns what is answered.
func call(url string, body any, last string) (io.ReadCloser, error) {
	method, text := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		text, _ = json.Marshal(body) // maps of strings and numbers
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Parley-Key", key)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(r)
	if err == nil && response.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(response.Body)
		response.Body.Close()
		return nil, fmt.Errorf("%w: %s %s", errRefused, response.Status, problem)
	}
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// must makes a call that is answered with a JSON object.
func must[T any](url string, body any) (out T) {
	answer, err := call(url, body, "")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(&out); err != nil {
		log.Fatal(err)
	}
	return out
}

// solved is for projects that want a proof of work of new visitors: it looks for the
// number that, behind the salt, has the hash that is asked for.
func solved(url string) string {
	asked := must[struct{ Algorithm, Challenge, Salt, Signature string }](url, nil)
	for number := 0; ; number++ {
		sum := sha256.Sum256([]byte(asked.Salt + strconv.Itoa(number)))
		if hex.EncodeToString(sum[:]) == asked.Challenge {
			text, _ := json.Marshal(object{"algorithm": asked.Algorithm, "challenge": asked.Challenge, "salt": asked.Salt,
				"signature": asked.Signature, "number": number})
			return base64.StdEncoding.EncodeToString(text)
		}
	}
}

// reply is what a visitor knows of the answer to a message.
type reply struct {
	session, run, status string
	last                 string // id of the last event that came
}

// follow prints the text of a stream until it stops.
func (a *reply) follow(stream io.Reader) {
	var name, id, data string
	for lines := bufio.NewReader(stream); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			data = value
		case "": // the end of an event, or a sign of life
			a.take(name, data)
			a.last = cmp.Or(id, a.last)
			name, id, data = "", "", ""
		}
	}
}

func (a *reply) take(name, data string) {
	var event struct {
		Session            struct{ ID string }
		Run, Delta, Status string
	}
	if data == "" || json.Unmarshal([]byte(data), &event) != nil {
		return
	}
	switch name {
	case "accepted":
		a.session, a.run = event.Session.ID, event.Run
	case "text":
		fmt.Print(event.Delta)
	case "end":
		a.status = event.Status
	}
}

func main() {
	log.SetFlags(0)
	if key == "" || len(os.Args) != 2 {
		log.Fatal("usage: KEY=pk_test_… go run ./docs/examples QUESTION")
	}
	// Every group of calls has a base address: on AWS they differ.
	parley := cmp.Or(os.Getenv("PARLEY"), "http://localhost:3000")
	config := must[struct {
		URLs      map[string]string
		Challenge string
	}](parley+"/config", nil)
	urls, who := config.URLs, object{}
	if config.Challenge != "" {
		who["altcha"] = solved(config.Challenge)
	}
	token = must[struct{ Token string }](urls["identify"]+"/identify", who).Token

	// A message keeps its id however often it is sent, and so is stored once.
	message := object{"messageId": rand.Text(), "content": os.Args[1]}
	var answer reply
	for answer.status == "" { // only the event "end" ends a reply; what stops before it was cut
		url, body := urls["chat"]+"/chat", any(message)
		if answer.session != "" {
			url, body = url+"/"+answer.session+"/runs/"+answer.run, nil
		}
		stream, err := call(url, body, answer.last)
		if errors.Is(err, errRefused) {
			log.Fatal(err)
		}
		if err == nil {
			answer.follow(stream)
			stream.Close()
		}
		if answer.status == "" {
			log.Print("The connection was lost; going on.")
			time.Sleep(time.Second)
		}
	}
	fmt.Printf("\n[%s]\n", answer.status)

	rated := must[struct{ Rating struct{ Score int } }](urls["csat"]+"/csat", object{"sessionId": answer.session, "score": 5})
	fmt.Printf("Rated %d of 5.\n", rated.Rating.Score)
	must[object](urls["close"]+"/close", object{"key": key, "token": token, "session": answer.session})
}
