<?php
// Answers that take their time, below php-fpm; see streams.js.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$ms = (int) ($_GET['ms'] ?? 0);
$me = 'pid ' . getmypid() . "\n";

while (ob_get_level()) ob_end_flush();  // what is said is sent at once

function say($text) {
    echo $text;
    flush();
}

switch ($path) {
    case '/slow':
        usleep($ms * 1000);
        echo $me;
        break;
    case '/drip':
        header('Content-Length: 10');
        say('01234');
        usleep($ms * 1000);
        say('56789');
        break;
    case '/events':
        header('Content-Type: text/event-stream');
        for ($i = 0; $i < 3; $i++) {
            if ($i) usleep($ms * 1000);
            say("data: $i\n\n");
        }
        break;
    default:
        header('Content-Length: ' . strlen($me));
        echo $me;
}
