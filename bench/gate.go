package main

import (
	"context"
	"errors"
	"io"
)

func gate(ctx context.Context, o options, stdout io.Writer) error { return errors.New("not yet") }
