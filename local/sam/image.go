package sam

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// minimal begins the name of the smallest image that functions run in; what of the
// emulator's digest stands behind it tells one of another release of SAM apart. SAM
// looks for what it would make of an image under its tag, and finds it made.
const minimal = "parley/lambda-"

func tag(architecture string) string { return "rapid-" + architecture }

// emulator is where an image has the Lambda of this machine, which starts a function's
// program and hands it what is asked of it.
const emulator = "/var/rapid/aws-lambda-rie"

// minimalImage returns the name of the minimal image, which is made if it is missing: of
// the emulator that comes with SAM, and of a few empty folders. Functions are static
// programs, and need nothing else to run but the certificates of authorities where they
// call somebody by TLS. So no registry is asked.
func (e *engine) minimalImage(ctx context.Context, sam, architecture string) (name string, err error) {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(sam), "..", "lib", "python3*", "site-packages", "samcli", "local", "rapid", "aws-lambda-rie-"+architecture))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s brings no aws-lambda-rie along: remove .cache/sam, and it is installed anew", sam)
	}
	program, err := os.ReadFile(found[0])
	if err != nil {
		return "", err
	}
	name = fmt.Sprintf("%s%x", minimal, sha256.Sum256(program))[:len(minimal)+12]
	if e.call(ctx, http.MethodGet, "/images/"+name+":"+tag(architecture)+"/json", nil, nil) == nil {
		return name, nil
	}
	return name, e.importImage(ctx, name, architecture, program)
}

func (e *engine) importImage(ctx context.Context, name, architecture string, program []byte) error {
	root, err := rootFileSystem(program)
	if err != nil {
		return err
	}
	answer, err := e.open(ctx, http.MethodPost, "/images/create?fromSrc=-&repo="+url.QueryEscape(name), root)
	if err != nil {
		return err
	}
	defer answer.Close()
	id, err := imported(answer)
	if err != nil {
		return err
	}
	// Podman takes no tag when it imports.
	return e.call(ctx, http.MethodPost, "/images/"+id+"/tag?repo="+url.QueryEscape(name)+"&tag="+tag(architecture), nil, nil)
}

// imported reads the id of an image from what an engine says while it imports one.
func imported(answer io.Reader) (id string, err error) {
	lines := bufio.NewScanner(answer)
	for lines.Scan() {
		if _, after, ok := strings.Cut(lines.Text(), `"sha256:`); ok {
			id, _, _ = strings.Cut(after, `"`)
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	if id == "" {
		return "", errors.New("the engine names no image that it has imported")
	}
	return id, nil
}

// rootFileSystem is an archive with the emulator and the folders that it wants.
func rootFileSystem(program []byte) (io.Reader, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"etc", "opt", "tmp", "var", "var/rapid", "var/runtime", "var/task"} {
		mode := int64(0o755)
		if dir == "tmp" {
			mode = 0o1777
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: mode}); err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: emulator[1:], Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	return &out, w.Close()
}

// gateway returns how containers reach this machine: an address, or what Docker takes
// for it. Podman writes it into each container, but knows no word for it in all of its
// releases, so one of an image that has the emulator is asked.
func (e *engine) gateway(ctx context.Context, image string) (string, error) {
	if !e.podman {
		return "host-gateway", nil
	}
	var made struct{ ID string }
	if err := e.call(ctx, http.MethodPost, "/containers/create", map[string]any{
		"Image": image, "Entrypoint": []string{emulator}}, &made); err != nil {
		return "", err
	}
	defer func() {
		_ = e.call(context.WithoutCancel(ctx), http.MethodDelete, "/containers/"+made.ID+"?force=true", nil, nil) // it does no harm either
	}()
	if err := e.call(ctx, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil); err != nil {
		return "", err
	}
	archive, err := e.open(ctx, http.MethodGet, "/containers/"+made.ID+"/archive?path=/etc/hosts", nil)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	files := tar.NewReader(archive)
	if _, err := files.Next(); err != nil {
		return "", err
	}
	hosts, err := io.ReadAll(files)
	if err != nil {
		return "", err
	}
	return hostIn(string(hosts))
}

// hostIn finds the machine in a container's /etc/hosts.
func hostIn(hosts string) (string, error) {
	for line := range strings.Lines(hosts) {
		words := strings.Fields(line)
		for _, name := range words[min(1, len(words)):] {
			if name == "host.containers.internal" {
				return words[0], nil
			}
		}
	}
	return "", errors.New("no container is told where this machine is: Podman 4 is needed")
}
