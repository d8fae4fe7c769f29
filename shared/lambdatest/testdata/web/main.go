// Command web is a function for the tests of lambdatest: each path does one
// thing that a handler may do.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"parley/shared/lambdahttp"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/{name...}", echo)
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("GET /steps/{n}", steps)
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		io.WriteString(w, strings.Repeat("a", n))
	})
	mux.HandleFunc("GET /binary", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "\xff\x00\xfe") })
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("before") })
	mux.HandleFunc("GET /exit", func(http.ResponseWriter, *http.Request) { os.Exit(3) })
	mux.HandleFunc("GET /panic-late", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getpid())
		panic("after")
	})
	lambdahttp.Start(mux, lambdahttp.Config{})
}

// echo answers with what it sees of the request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var cookies []string
	for _, c := range r.Cookies() {
		cookies = append(cookies, c.String())
	}
	http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "again", Value: "2"})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "name": r.PathValue("name"), "query": r.URL.Query(), "body": body,
		"length": r.ContentLength, "type": r.Header.Get("Content-Type"), "cookies": cookies,
		"accept": r.Header.Get("Accept"), "many": strings.Split(strings.Join(r.Header.Values("X-Many"), ","), ","),
	})
}

// steps writes a line and asks the gate before it goes on to the next.
func steps(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.PathValue("n"))
	for i := range n {
		fmt.Fprintf(w, "step %d\n", i)
		w.(http.Flusher).Flush()
		response, err := http.Get(os.Getenv("GATE") + "/" + strconv.Itoa(i))
		if err != nil {
			panic(err)
		}
		response.Body.Close()
	}
	fmt.Fprintln(os.Stderr, "all steps written")
}
