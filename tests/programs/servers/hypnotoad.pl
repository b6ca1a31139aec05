#!/usr/bin/perl
# hypnotoad -f …, two processes below one; PID_FILE stands for where its own is.
use Mojolicious::Lite;
get '/' => sub { shift->render(text => "pid $$") };
app->config(hypnotoad => {listen => ['http://127.0.0.1:8080'], workers => 2, pid_file => "PID_FILE"});
app->start;
