//go:build unix

package interop

// This file installs the peers: each into a folder that is named after its version and appears only once it is whole.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	websocketsVersion = "17.4"
	wsVersion         = "8.23.0"
)

// installWebsockets returns the python of a virtual environment that has websockets.
func installWebsockets(ctx context.Context, build string) (python string, err error) {
	folder := filepath.Join(build, "websockets-"+websocketsVersion)
	python = filepath.Join(folder, "bin", "python")
	if run(ctx, build, python, "-c", "import websockets.asyncio.server") == nil {
		return python, nil
	}
	old := "import sys; sys.exit(sys.version_info < (3, 11))"
	if err = run(ctx, build, "python3", "-c", old); err != nil {
		return "", fmt.Errorf("Python >= 3.11 is needed: %w", err)
	}
	return python, install(folder, func(fresh string) error {
		if err := run(ctx, build, "python3", "-m", "venv", fresh); err != nil {
			return err
		}
		return run(ctx, build, filepath.Join(fresh, "bin", "python"), "-m", "pip", "install", "--quiet",
			"--disable-pip-version-check", "websockets=="+websocketsVersion)
	})
}

// installWS returns a folder in whose node_modules ws is.
func installWS(ctx context.Context, build string) (folder string, err error) {
	folder = filepath.Join(build, "ws-"+wsVersion)
	if _, err = os.Stat(filepath.Join(folder, "node_modules", "ws", "package.json")); err == nil {
		return folder, nil
	}
	return folder, install(folder, func(fresh string) error {
		if err := os.WriteFile(filepath.Join(fresh, "package.json"), []byte("{\"private\": true}\n"), 0o644); err != nil {
			return err
		}
		return run(ctx, fresh, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "ws@"+wsVersion)
	})
}

// install fills a fresh folder beside the one that is wanted and puts it in that place, unless another run was faster.
func install(folder string, fill func(fresh string) error) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(folder), "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err = fill(fresh); err != nil {
		return err
	}
	if err = os.Rename(fresh, folder); err != nil {
		if _, other := os.Stat(folder); other == nil {
			return nil
		}
	}
	return err
}

// run runs a program to its end; the error has what it printed.
func run(ctx context.Context, folder, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
