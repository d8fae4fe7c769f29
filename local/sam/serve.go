package sam

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// samCommand is how SAM is called.
type samCommand struct {
	path    string
	engine  *engine
	image   string // the minimal one, where it is there
	gateway string // this machine, to containers
	files   string // address of the bucket
}

// serveSAM builds the functions, and has SAM serve them: as the HTTP API, and as the
// Lambda by which they invoke each other.
func (s *Stack) serveSAM(ctx context.Context, c Config, sam samCommand) error {
	port := strconv.Itoa(c.Port)
	var err error
	if c.Port == 0 {
		if port, err = freePort(); err != nil {
			return err
		}
	}
	lambda, err := freePort()
	if err != nil {
		return err
	}
	s.URL, s.Lambda = "http://127.0.0.1:"+port, "http://127.0.0.1:"+lambda
	table, err := url.Parse(c.Table)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(c.Root, "template.yaml"))
	if err != nil {
		return err
	}
	text, err = Template(text, runtime.GOARCH, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": "http://" + Host + ":" + table.Port(),
		"AWS_ENDPOINT_URL_S3":       sam.files,
		"AWS_ENDPOINT_URL_LAMBDA":   "http://" + Host + ":" + lambda,
		"PARLEY_MASTER_SECRET":      s.Master,
	})
	if err != nil {
		return fmt.Errorf("template.yaml: %w", err)
	}
	file, err := build(ctx, c.Root, text)
	if err != nil {
		return err
	}
	for _, service := range []struct {
		name, port string
		args       []string
	}{
		{"start-lambda", lambda, []string{"--host", "0.0.0.0"}}, // containers do not reach 127.0.0.1
		{"start-api", port, nil},
	} {
		args := append([]string{"local", service.name, "--template", file, "--port", service.port, "--warm-containers", "LAZY",
			"--add-host", Host + ":" + sam.gateway, "--parameter-overrides", "PublicURL=" + s.URL}, service.args...)
		if c.Minimal {
			args = append(args, "--invoke-image", sam.image, "--skip-pull-image")
		}
		command := exec.Command(sam.path, args...)
		command.Dir = filepath.Dir(file) // no samconfig.toml
		command.Env = s.environment(sam.engine)
		if err := s.run("sam local "+service.name, command, func() error { return listens(ctx, service.port) }); err != nil {
			return err
		}
	}
	return nil
}

// environment is SAM's: that of this process without what leads to an account of AWS.
func (s *Stack) environment(e *engine) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(env, "DOCKER_HOST="+e.host, "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION="+region,
		"AWS_ACCESS_KEY_ID="+s.keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.keys.SecretAccessKey, "AWS_EC2_METADATA_DISABLED=true")
}

// build compiles the functions of a template for this machine, as the Makefile does
// for sam build, and returns the file of the template among them.
func build(ctx context.Context, root string, text []byte) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, ".aws-sam", "local")
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return "", err
	}
	// make fills in each target's own folder.
	args := []string{"--no-print-directory", "--jobs", strconv.Itoa(runtime.NumCPU()), "ARTIFACTS_DIR=" + filepath.Join(folder, "$(@:build-%=%)"),
		"LAMBDA_GOARCH=" + runtime.GOARCH}
	for _, f := range functions(doc.Content[0]) {
		if err := os.MkdirAll(filepath.Join(folder, f.id), 0o755); err != nil {
			return "", err
		}
		args = append(args, "build-"+f.id)
	}
	command := exec.CommandContext(ctx, "make", args...)
	command.Dir = root
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("functions: %w: %s", err, said)
	}
	file := filepath.Join(folder, "template.yaml")
	return file, os.WriteFile(file, text, 0o600) // the secret stands in it
}
