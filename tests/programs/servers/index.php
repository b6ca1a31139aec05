<?php
// php -S HOST:PORT index.php
echo "pid ", getmypid(), "\n";
