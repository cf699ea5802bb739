// The peer gRPC: client streaming over a Unix socket. Each consumer is a server, each producer a client of all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

const (
	windowBytes = 4 << 20  // of flow control, for a stream and for a connection
	writeBytes  = 64 << 10 // gathered before a system call
)

// put is the one method: a stream of bytes messages, answered when all have arrived.
var (
	putStream = grpc.StreamDesc{StreamName: "Put", ClientStreams: true, Handler: func(srv any, stream grpc.ServerStream) error {
		return srv.(*sink).receive(stream)
	}}
	service = grpc.ServiceDesc{ServiceName: "mlog.bench.Log", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{putStream}}
)

func main() {
	harness.Main(harness.Peer{
		Name:    "grpc",
		Version: func() string { return "grpc-go " + grpc.Version },
		Produce: produce,
		Consume: consume,
	})
}

func address(e *harness.Env, consumer int) string {
	return filepath.Join(e.Dir, fmt.Sprint("consumer", consumer))
}

// A sink takes the records of all streams.
type sink struct {
	mu   sync.Mutex
	c    *harness.Consumer
	end  chan error // gets the error, or nil after the last record
	over bool
}

func consume(c *harness.Consumer) error {
	l, err := net.Listen("unix", address(c.Env, c.Index))
	if err != nil {
		return err
	}
	srv := grpc.NewServer(
		grpc.StaticStreamWindowSize(windowBytes), grpc.StaticConnWindowSize(windowBytes),
		grpc.ReadBufferSize(writeBytes), grpc.MaxRecvMsgSize(windowBytes),
	)
	s := &sink{c: c, end: make(chan error, 1)}
	srv.RegisterService(&service, s)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	if err := c.Ready(); err != nil {
		return err
	}
	select {
	case err = <-s.end:
	case err = <-served:
		return fmt.Errorf("serve: %w", err)
	}
	if err != nil {
		return err
	}
	srv.GracefulStop() // the producers get their answers
	return nil
}

// receive takes what one producer sends.
func (s *sink) receive(stream grpc.ServerStream) error {
	var rec wrapperspb.BytesValue
	for {
		err := stream.RecvMsg(&rec)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(&emptypb.Empty{})
		}
		if err != nil {
			return err
		}
		if err := s.take(rec.Value); err != nil {
			return err
		}
	}
}

func (s *sink) take(rec []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errors.New("the measurement is over")
	}
	done, err := s.c.Take(rec)
	if done || err != nil {
		s.over = true
		s.end <- err
	}
	return err
}

func produce(p *harness.Producer) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.Limit)
	defer cancel()
	var streams []grpc.ClientStream
	for i := range p.Consumers {
		conn, err := grpc.NewClient("unix://"+address(p.Env, i),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithStaticStreamWindowSize(windowBytes), grpc.WithStaticConnWindowSize(windowBytes),
			grpc.WithWriteBufferSize(writeBytes),
			grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
		if err != nil {
			return err
		}
		defer conn.Close()
		stream, err := conn.NewStream(ctx, &putStream, "/"+service.ServiceName+"/Put")
		if err != nil {
			return err
		}
		streams = append(streams, stream)
	}
	if err := p.Ready(); err != nil {
		return err
	}
	rec := wrapperspb.BytesValue{Value: make([]byte, p.Size)}
	for p.Fill(rec.Value) {
		for _, s := range streams {
			if err := s.SendMsg(&rec); err != nil {
				return fmt.Errorf("send: %w", err)
			}
		}
	}
	for _, s := range streams {
		if err := errors.Join(s.CloseSend(), s.RecvMsg(&emptypb.Empty{})); err != nil {
			return fmt.Errorf("close the stream: %w", err)
		}
	}
	return nil
}
