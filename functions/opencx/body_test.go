package opencx

import (
	"bytes"
	"mime/multipart"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"parley/shared/api"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileMessage: whatever is in the body of a message, reading it takes a small
// multiple of its longest length.
func TestHostileMessage(t *testing.T) {
	for name, body := range map[string]string{
		"attachments":      `{"attachments":[` + strings.Repeat("{},", maxSendBytes/3-20) + `{}]}`,
		"initial messages": `{"initial_messages":[` + strings.Repeat("{},", maxSendBytes/3-20) + `{}]}`,
		"values":           `{"query_params":{` + strings.Repeat(`"":0,`, maxSendBytes/5-20) + `"a":0}}`,
		"lists of values":  `{"headers":{"a":[` + strings.Repeat(`[],`, maxSendBytes/3-20) + `0]}}`,
		"custom data":      `{"custom_data":{` + strings.Repeat(`"":0,`, maxSendBytes/5-20) + `"a":0}}`,
		"text":             `{"content":"` + strings.Repeat("x", maxSendBytes-20) + `"}`,
	} {
		r := httptest.NewRequest("POST", "/backend/widget/v2/chat/send", strings.NewReader(body))
		var in message
		var err error
		if got := allocated(func() { err = api.DecodeUpTo(r, maxSendBytes, &in) }); got > 4*maxSendBytes {
			t.Errorf("%s: %d bytes are allocated for %d, %v", name, got, len(body), err)
		}
	}
}

// TestLargeUpload: an upload is in memory once.
func TestLargeUpload(t *testing.T) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789"), maxUploadBytes/10)
	part.Write(sent)
	form.Close()
	r := httptest.NewRequest("POST", "/backend/widget/v2/upload", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	var data []byte
	// The race detector makes a buffer of zeros beside it; one that grows takes more than both.
	if got := allocated(func() { _, _, data, err = file(r, maxUploadBytes) }); got > maxUploadBytes*9/4 {
		t.Errorf("%d bytes are allocated for a file of %d", got, maxUploadBytes)
	}
	if err != nil || !bytes.Equal(data, sent) {
		t.Errorf("file = %d bytes, %v", len(data), err)
	}
}
